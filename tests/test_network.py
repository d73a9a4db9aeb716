import bz2
import pickle
import random
import re

import pytest
import torch
from torch import nn
from torch.nn import functional

from testbed.networks.normalise import normalised
from testbed.spaces.nasbench201.cost import flops, parameters
from testbed.spaces.nasbench201.genotype import OPERATIONS, Genotype, enumerate_space
from testbed.spaces.nasbench201.network import Network, Reduction

ALL_CONVOLUTIONS = (
    "|nor_conv_3x3~0|+|nor_conv_1x1~0|nor_conv_3x3~1|"
    "+|nor_conv_1x1~0|nor_conv_3x3~1|nor_conv_1x1~2|"
)
# No path from the input, and nothing that emits a constant: the cell is zero.
DEAD = (
    "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
    "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|",
    "|none~0|+|none~0|skip_connect~1|+|none~0|avg_pool_3x3~1|skip_connect~2|",
    "|skip_connect~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|none~0|none~1|none~2|",
)
# No path from the input, yet a convolution of zero emits its batch norm's bias.
CONSTANT = (
    "|none~0|+|nor_conv_3x3~0|none~1|+|none~0|nor_conv_3x3~1|none~2|",
    "|none~0|+|none~0|nor_conv_3x3~1|+|none~0|none~1|skip_connect~2|",
    "|none~0|+|none~0|nor_conv_1x1~1|+|none~0|none~1|nor_conv_3x3~2|",
    "|none~0|+|none~0|skip_connect~1|+|none~0|avg_pool_3x3~1|nor_conv_1x1~2|",
)
# The same beside a path that is alive.
MIXED = (
    "|none~0|+|skip_connect~0|nor_conv_3x3~1|+|none~0|nor_conv_1x1~1|nor_conv_3x3~2|",
    "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_3x3~2|",
    "|none~0|+|none~0|nor_conv_3x3~1|+|avg_pool_3x3~0|skip_connect~1|avg_pool_3x3~2|",
    "|none~0|+|avg_pool_3x3~0|avg_pool_3x3~1|+|nor_conv_1x1~0|none~1|skip_connect~2|",
    "|none~0|+|nor_conv_1x1~0|none~1|+|nor_conv_3x3~0|nor_conv_3x3~1|none~2|",
)
ALIVE = (
    ALL_CONVOLUTIONS,
    "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|",
    "|avg_pool_3x3~0|+|avg_pool_3x3~0|avg_pool_3x3~1|+|avg_pool_3x3~0|avg_pool_3x3~1|avg_pool_3x3~2|",
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|none~1|nor_conv_3x3~2|",
)
RANDOM = tuple(str(Genotype.from_index(i)) for i in random.Random(0).sample(range(15625), 15))


def rough_network(string, train=False, **sizes):
    """Return a float64 network whose batch norms all do something."""
    torch.manual_seed(0)
    sizes = {"channels": 4, "cells": 1, **sizes}
    network = Network(Genotype.parse(string), **sizes).double().train(train)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.normal_(layer.bias)
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2.0)
    return network


@pytest.fixture(autouse=True)
def _keep_the_global_random_state():
    with torch.random.fork_rng(devices=[]):
        yield


def some_images(size=8, count=3, channels=3):
    generator = torch.Generator().manual_seed(1)
    return torch.rand(count, channels, size, size, generator=generator, dtype=torch.float64)


# --- an independent evaluation --------------------------------------------------------


def evaluate(state, string, images, train, cells=1):
    """Evaluate the network from its state dict, every edge of it, dead or not."""
    nodes = [re.findall(r"(\w+)~(\d)", part) for part in string.split("+")]

    def norm(x, name):
        mean, var, weight, bias = (
            state[f"{name}.{key}"].clone()
            for key in ("running_mean", "running_var", "weight", "bias")
        )
        return functional.batch_norm(x, mean, var, weight, bias, training=train)

    def conv(x, name, stride=1):
        weight = state[f"{name}.1.weight"]
        padding = {1: 0, 3: 1}[weight.shape[-1]]
        return norm(
            functional.conv2d(functional.relu(x), weight, None, stride, padding), f"{name}.2"
        )

    def edge(x, operation, name):
        if operation == "none":
            return x * 0
        if operation == "skip_connect":
            return x
        if operation == "avg_pool_3x3":
            sums = 9 * functional.avg_pool2d(x, 3, 1, 1)
            return sums / (9 * functional.avg_pool2d(torch.ones_like(x), 3, 1, 1))
        assert state[f"{name}.op.1.weight"].shape[-1] == int(operation[-1])
        return conv(x, f"{name}.op")

    def cell(x, name):
        values, number = [x], 0
        for incoming in nodes:
            value = 0
            for operation, source in incoming:
                value = value + edge(values[int(source)], operation, f"{name}.layers.{number}")
                number += 1
            values.append(value)
        return values[3]

    def reduction(x, name):
        main = conv(conv(x, f"{name}.conv_a.op", stride=2), f"{name}.conv_b.op")
        return main + functional.conv2d(
            functional.avg_pool2d(x, 2, 2), state[f"{name}.downsample.1.weight"]
        )

    x = norm(functional.conv2d(images, state["stem.0.weight"], padding=1), "stem.1")
    for block in range(3 * cells + 2):
        last_of_stage = block % (cells + 1) == cells
        x = (reduction if last_of_stage else cell)(x, f"cells.{block}")
    x = functional.relu(norm(x, "lastact.0")).mean((2, 3))
    return functional.linear(x, state["classifier.weight"], state["classifier.bias"])


@pytest.mark.parametrize("train", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("string", [*DEAD, *CONSTANT, *MIXED, *ALIVE, *RANDOM])
def test_the_function_is_that_of_the_naive_evaluation(string, train):
    network, images = rough_network(string, train), some_images().requires_grad_()
    state = {name: value.detach().clone() for name, value in network.state_dict().items()}
    expected = evaluate(state, string, images, train)
    found = network(images)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    if string not in CONSTANT:  # for them see below
        weights = torch.linspace(-1, 1, 10, dtype=torch.float64)
        gradients = [torch.autograd.grad((f * weights).sum(), images)[0] for f in (found, expected)]
        torch.testing.assert_close(*gradients, rtol=1e-7, atol=1e-9)


def test_the_function_with_other_sizes():
    sizes = {"channels": 3, "cells": 2, "classes": 7, "in_channels": 1}
    network, images = rough_network(MIXED[0], **sizes), some_images(12, 2, channels=1)
    found = network(images)
    assert found.shape == (2, 7)
    expected = evaluate(network.state_dict(), MIXED[0], images, train=False, cells=2)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_an_edge_that_cannot_change_the_output_is_not_evaluated():
    convolution_into_a_dead_end = DEAD[1]
    network = rough_network(convolution_into_a_dead_end)
    called = []
    for cell in (network.cells[0], network.cells[2], network.cells[4]):
        cell.layers[0].register_forward_hook(lambda *_: called.append(1))
    network(some_images())
    assert called == []


# --- networks without a path ----------------------------------------------------------


@pytest.mark.parametrize("string", [*DEAD, *CONSTANT])
def test_without_a_path_the_logits_do_not_depend_on_the_input(string):
    network = rough_network(string)
    logits = network(some_images())
    assert logits.abs().min() > 0
    assert torch.equal(logits, logits[:1].expand_as(logits))
    assert torch.equal(logits, network(1 - some_images()))


def test_a_constant_emission_is_not_zero():
    network = rough_network(CONSTANT[0])
    cell = network.cells[0]
    assert cell(torch.zeros(1, 4, 8, 8, dtype=torch.float64)).abs().max() > 0.1


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("string", [*DEAD, *CONSTANT])
def test_without_a_path_the_gradient_is_exactly_zero(string, frozen):
    network = rough_network(string).requires_grad_(not frozen)
    images = some_images().requires_grad_()
    (gradient,) = torch.autograd.grad(network(images).square().sum(), images)
    assert torch.equal(gradient, torch.zeros_like(images))


@pytest.mark.parametrize("string", [DEAD[0], CONSTANT[0]])
def test_without_a_path_torch_func_sees_a_zero_jacobian(string):
    network = rough_network(string)
    jacobian = torch.func.jacrev(lambda x: network(x[None])[0])(some_images()[0])
    assert jacobian.shape == (10, 3, 8, 8)
    assert not jacobian.any()


# --- parameters and multiply-accumulates ----------------------------------------------


@pytest.mark.parametrize("index", [0, 11, 284])
@pytest.mark.parametrize(
    ("dataset", "classes", "size"),
    [("cifar10", 10, 32), ("cifar100", 100, 32), ("ImageNet16-120", 120, 16)],
)
def test_costs_are_those_of_nats_bench(real_data, index, dataset, classes, size):
    path = real_data / "NATS-tss-v1_0-3ffb9-simple" / f"{index:06d}.pickle.pbz2"
    with bz2.open(path) as file:
        record = pickle.load(file)["200"]["all_results"][dataset, 777]
    genotype = Genotype.from_index(index)
    assert record["arch_config"]["arch_str"] == str(genotype)
    assert parameters(genotype, classes=classes) == round(record["params"] * 1e6)
    assert flops(genotype, classes=classes, size=size) == round(record["flop"] * 1e6)
    assert record["params"] == parameters(genotype, classes=classes) / 1e6
    assert record["flop"] == flops(genotype, classes=classes, size=size) / 1e6


def test_known_costs():
    costs = {(0, 10, 32): (129306, 15647370), (11, 100, 32): (808276, 113957220)}
    costs[284, 120, 16] = (108456, 2936440)
    for (index, classes, size), expected in costs.items():
        genotype = Genotype.from_index(index)
        found = parameters(genotype, classes=classes), flops(genotype, classes=classes, size=size)
        assert found == expected


def test_there_are_28_parameter_counts_and_flops_order_them_alike():
    costs = {(parameters(genotype), flops(genotype)) for genotype in enumerate_space()}
    counts = sorted(count for count, _ in costs)
    assert len(costs) == len(set(counts)) == 28
    assert (counts[0], counts[-1]) == (73306, 1531546)
    assert [work for _, work in sorted(costs)] == sorted(work for _, work in costs)


@pytest.mark.parametrize("trial", range(12))
def test_parameters_are_those_of_the_module(trial):
    draw = random.Random(trial)
    genotype = Genotype(tuple(draw.choices(OPERATIONS, k=6)))
    sizes = {
        "channels": draw.randint(1, 9),
        "cells": draw.randint(1, 3),
        "classes": draw.randint(2, 30),
        "in_channels": draw.choice([1, 3]),
    }
    counted = sum(p.numel() for p in Network(genotype, **sizes).parameters())
    assert parameters(genotype, **sizes) == counted


def count_multiply_accumulates(network, size, in_channels):
    """Count them in hooks, branch by branch: odd sizes fit no sum of branches."""
    counts = []

    def count(layer, inputs, output):
        pixels = output[0, 0].numel() if output.ndim == 4 else 1
        biases = 0 if layer.bias is None else layer.bias.numel()
        counts.append((layer.weight.numel() + biases) * pixels)

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
    x = network.stem(torch.zeros(1, in_channels, size, size))
    for block in network.cells:
        if isinstance(block, Reduction):
            block.downsample(x)
            x = block.conv_b(block.conv_a(x))
        else:
            x = block(x)
    network.classifier(network.lastact(x).mean((2, 3)))
    return sum(counts)


@pytest.mark.parametrize("size", [8, 15, 16, 17, 22, 33])
def test_flops_are_those_counted_where_all_edges_are_live(size):
    draw = random.Random(size)
    genotype = Genotype(tuple(draw.choices(OPERATIONS[1:], k=6)))
    sizes = {
        "channels": draw.randint(1, 9),
        "cells": draw.randint(1, 3),
        "classes": draw.randint(2, 30),
        "in_channels": draw.choice([1, 3]),
    }
    for each in (genotype, Genotype.parse(ALL_CONVOLUTIONS)):
        network = Network(each, **sizes).eval()
        counted = count_multiply_accumulates(network, size, sizes["in_channels"])
        assert flops(each, **sizes, size=size) == counted


# --- names ----------------------------------------------------------------------------


def official_names(string, cells):
    def norm(name):
        keys = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
        return [f"{name}.{key}" for key in keys]

    def conv(name):
        return [f"{name}.op.1.weight", *norm(f"{name}.op.2")]

    edges = re.findall(r"(\w+)~", string)
    names = ["stem.0.weight", *norm("stem.1")]
    for block in range(3 * cells + 2):
        if block % (cells + 1) == cells:
            names += conv(f"cells.{block}.conv_a") + conv(f"cells.{block}.conv_b")
            names += [f"cells.{block}.downsample.1.weight"]
            continue
        for number, operation in enumerate(edges):
            if operation.startswith("nor_conv"):
                names += conv(f"cells.{block}.layers.{number}")
    return {*names, *norm("lastact.0"), "classifier.weight", "classifier.bias"}


@pytest.mark.parametrize("string", [ALL_CONVOLUTIONS, DEAD[1], MIXED[1], ALIVE[3]])
def test_state_dict_names_are_those_of_the_archives(string):
    for cells in (1, 5):
        network = Network(Genotype.parse(string), channels=2, cells=cells)
        assert set(network.state_dict()) == official_names(string, cells)


def test_the_default_network_is_that_of_the_benchmark():
    network = Network(Genotype.parse(ALL_CONVOLUTIONS))
    assert len(network.cells) == 17
    assert [i for i, b in enumerate(network.cells) if isinstance(b, Reduction)] == [5, 11]
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    expected = {
        "stem.0.weight": (16, 3, 3, 3),
        "cells.0.layers.0.op.1.weight": (16, 16, 3, 3),
        "cells.0.layers.1.op.1.weight": (16, 16, 1, 1),
        "cells.5.conv_a.op.1.weight": (32, 16, 3, 3),
        "cells.5.conv_b.op.1.weight": (32, 32, 3, 3),
        "cells.5.downsample.1.weight": (32, 16, 1, 1),
        "cells.16.layers.5.op.1.weight": (64, 64, 1, 1),
        "lastact.0.weight": (64,),
        "classifier.weight": (10, 64),
    }
    assert {name: shapes[name] for name in expected} == expected


# --- normalisation --------------------------------------------------------------------


def test_normalisation_is_a_layer_in_front():
    network, images = rough_network(ALIVE[3]), some_images()
    mean, std = (0.5, 0.25, 0.75), (0.25, 0.5, 2.0)
    inside = torch.stack([(images[:, c] - mean[c]) / std[c] for c in range(3)], dim=1)
    whole = normalised(network, mean, std).double()
    torch.testing.assert_close(whole(images), network(inside))
    assert len(whole.state_dict()) == len(network.state_dict())
