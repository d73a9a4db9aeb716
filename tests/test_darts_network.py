"""Networks of the DARTS space: their function, parameters, costs and weights."""

import json
from functools import partial

import pytest
import torch
from scipy.stats import kendalltau
from torch import nn
from torch.nn import functional

from testbed.basis.errors import InputError
from testbed.spaces.darts.cost import flops, parameters
from testbed.spaces.darts.genotype import OPERATIONS, Genotype
from testbed.spaces.darts.network import Network
from testbed.spaces.darts.states import canonical_state
from testbed.spaces.registry import get
from testbed.spaces.weights import INITIALISATIONS
from testbed.spaces.weights import random_network as any_random_network
from tests.darts_draws import sample

V1 = Genotype.parse(
    "darts_n-sep3.0+sep3.1-skip.0+sep3.1-skip.0+sep3.1-sep3.0+skip.2"
    "_r-max3.0+max3.1-max3.0+skip.2-max3.0+skip.2-avg3.0+skip.2"
)
V2 = Genotype.parse(
    "darts_n-sep3.0+sep3.1-sep3.0+sep3.1-skip.0+sep3.1-skip.0+dil3.2"
    "_r-max3.0+max3.1-max3.1+skip.2-max3.0+skip.2-max3.1+skip.2"
)
# All operations, at both strides, with the order of two nodes' edges turned round.
ALL = Genotype(
    (("dil_conv_5x5", 1), ("sep_conv_5x5", 0), ("none", 2), ("dil_conv_3x3", 1),
     ("max_pool_3x3", 3), ("skip_connect", 0), ("avg_pool_3x3", 0), ("sep_conv_3x3", 4)),
    (("sep_conv_3x3", 0), ("sep_conv_3x3", 0), ("skip_connect", 1), ("none", 0),
     ("avg_pool_3x3", 1), ("max_pool_3x3", 0), ("dil_conv_5x5", 4), ("sep_conv_5x5", 1)),
)  # fmt: skip


@pytest.fixture(autouse=True)
def _keep_the_global_random_state():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def rough(genotype, **sizes):
    """Return a float64 network whose batch norms all do something."""
    network = Network(genotype, **{"width": 2, "depth": 4, "classes": 5, **sizes}).double().eval()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.normal_(layer.bias)
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2.0)
    return network


def images(count=3, size=8, channels=3):
    return torch.rand(count, channels, size, size, dtype=torch.float64)


# --- an independent evaluation --------------------------------------------------------


def evaluate(state, genotype, x, depth, train=False):
    """Evaluate the network from its state dict, by the words of the paper."""

    def norm(x, name):
        mean, var, weight, bias = (
            state[f"{name}.{key}"].clone()
            for key in ("running_mean", "running_var", "weight", "bias")
        )
        return functional.batch_norm(x, mean, var, weight, bias, training=train)

    def conv(x, name, kernel, stride=1, dilation=1):
        weight = state[f"{name}.weight"]
        assert weight.shape[-2:] == (kernel, kernel)
        groups = 1 if kernel == 1 else x.shape[1]
        reach = dilation * (kernel - 1) // 2
        return functional.conv2d(
            functional.pad(x, [reach] * 4), weight, None, stride, 0, dilation, groups
        )

    def halve(x, name):
        x = functional.relu(x)
        even, odd = x[:, :, ::2, ::2], x[:, :, 1::2, 1::2]
        both = [conv(even, f"{name}.conv_1", 1), conv(odd, f"{name}.conv_2", 1)]
        return norm(torch.cat(both, 1), f"{name}.bn")

    def separable(x, name, first, kernel, stride=1, dilation=1):
        x = conv(functional.relu(x), f"{name}.op.{first + 1}", kernel, stride, dilation)
        return norm(conv(x, f"{name}.op.{first + 2}", 1), f"{name}.op.{first + 3}")

    def edge(x, operation, name, stride):
        windows = x.shape[2] // stride, x.shape[3] // stride
        if operation == "none":
            return x.new_zeros(*x.shape[:2], *windows)
        if operation == "skip_connect":
            return x if stride == 1 else halve(x, name)
        if operation == "max_pool_3x3":
            x = functional.pad(x, [1] * 4, value=float("-inf"))
            return x.unfold(2, 3, stride).unfold(3, 3, stride).amax((-1, -2))
        if operation == "avg_pool_3x3":
            ones = functional.pad(torch.ones_like(x), [1] * 4)
            x = functional.pad(x, [1] * 4)
            sums = [y.unfold(2, 3, stride).unfold(3, 3, stride).sum((-1, -2)) for y in (x, ones)]
            return sums[0] / sums[1]
        kernel = int(operation[-1])
        if operation.startswith("dil"):
            return separable(x, name, 0, kernel, stride, dilation=2)
        return separable(separable(x, name, 0, kernel, stride), name, 4, kernel)

    older = newer = norm(functional.conv2d(x, state["stem.0.weight"], padding=1), "stem.1")
    for number in range(depth):
        name, reduction = f"cells.{number}", number in (depth // 3, 2 * depth // 3)
        states = []
        for which, value in enumerate((older, newer)):
            before = f"{name}.preprocess{which}"
            if f"{before}.conv_1.weight" in state:
                states.append(halve(value, before))
            else:
                value = conv(functional.relu(value), f"{before}.op.1", 1)
                states.append(norm(value, f"{before}.op.2"))
        cell = genotype.reduce if reduction else genotype.normal
        for first in range(0, 8, 2):
            states.append(
                sum(
                    edge(states[source], operation, f"{name}._ops.{place}",
                         2 if reduction and source in (0, 1) else 1)
                    for place, (operation, source) in enumerate(cell[first : first + 2], first)
                )
            )  # fmt: skip
        older, newer = newer, torch.cat(states[2:], 1)
    x = functional.adaptive_avg_pool2d(newer, 1).flatten(1)
    return functional.linear(x, state["classifier.weight"], state["classifier.bias"])


@pytest.mark.parametrize("train", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("depth", [1, 2, 3, 5])
@pytest.mark.parametrize("genotype", [V2, ALL, *sample(3, 1)], ids=str)
def test_the_function_is_that_of_the_naive_evaluation(genotype, depth, train):
    network, batch = rough(genotype, depth=depth).train(train), images()
    state = {name: value.clone() for name, value in network.state_dict().items()}
    expected = evaluate(state, genotype, batch, depth, train)
    torch.testing.assert_close(network(batch), expected, rtol=1e-8, atol=1e-9)


def test_the_function_with_other_sizes():
    network, batch = rough(ALL, width=3, classes=7, in_channels=1), images(2, 12, channels=1)
    assert network(batch).shape == (2, 7)
    expected = evaluate(network.state_dict(), ALL, batch, 4)
    torch.testing.assert_close(network(batch), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("genotype", [ALL, *sample(2, 2)], ids=str)
def test_the_order_of_a_nodes_edges_is_another_numbering_of_one_function(genotype):
    cells = (genotype.normal, genotype.reduce)
    turned = Genotype(*(tuple(cell[number ^ 1] for number in range(8)) for cell in cells))
    network, batch = rough(turned), images()
    other = rough(turned.canonical)
    other.load_state_dict(canonical_state(turned, 4, network.state_dict()), strict=True)
    assert torch.equal(other(batch), network(batch))
    state = other.state_dict()
    same_numbers = canonical_state(turned.canonical, 4, state)
    assert all(same_numbers[name] is state[name] for name in state)


# --- parameters and multiply-accumulates ----------------------------------------------


@pytest.mark.parametrize(
    ("genotype", "width", "depth", "classes", "plain", "with_head"),
    [  # counted on the authors' class; the first is the 3.3 million of the paper
        (V2, 36, 20, 10, 3_349_342, 3_825_768),
        (V1, 36, 20, 10, 3_169_414, 3_645_840),
        (V2, 16, 8, 10, 246_106, None),
        (V1, 16, 8, 10, 232_890, None),
        (V2, 16, 5, 100, 152_836, None),
        (V2, 8, 1, 10, 2178, None),
        (V2, 8, 2, 10, 5762, None),
        *zip(sample(3, 0), [16] * 3, [8] * 3, [10] * 3, (232_570, 303_674, 283_738), [None] * 3,
             strict=True),
    ],
)  # fmt: skip
def test_parameters_are_those_of_the_authors_class(
    genotype, width, depth, classes, plain, with_head
):
    assert parameters(genotype, width, depth, classes) == plain
    if with_head:
        assert parameters(genotype, width, depth, classes, auxiliary=True) == with_head


def test_parameters_of_cells_without_convolutions():
    # A cell has its two preprocessings alone: 1×1 convolutions and their batch norms.
    pools = Genotype((("max_pool_3x3", 0), ("avg_pool_3x3", 1)) * 4, (("none", 0),) * 8)
    c = 8
    inputs = ((3 * c, 3 * c), (3 * c, 4 * c), (4 * c, 8 * c), (8 * c, 8 * c), (8 * c, 16 * c))
    widths = (c, 2 * c, 2 * c, 4 * c, 4 * c)
    cells = sum((a + b) * w + 4 * w for (a, b), w in zip(inputs, widths, strict=True))
    expected = 27 * 3 * c + 2 * 3 * c + cells + 10 * (16 * c + 1)
    assert parameters(pools, c, 5) == expected


@pytest.mark.parametrize("sizes", [(2, 1, 4, 1), (3, 2, 5, 3), (2, 4, 3, 3), (4, 7, 10, 3)])
def test_costs_are_those_of_the_network(sizes):
    for genotype in (ALL, *sample(3, 5)):
        network = Network(genotype, *sizes).eval()
        assert parameters(genotype, *sizes) == sum(p.numel() for p in network.parameters())
        counted = []
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.register_forward_hook(
                    lambda layer, _, out, counted=counted: counted.append(
                        layer.weight.numel() * out[0, 0].numel() if out.ndim == 4
                        else layer.weight.numel() + layer.bias.numel()
                    )
                )  # fmt: skip
        network(images(1, 8, sizes[-1]).float())
        assert flops(genotype, *sizes, size=8) == sum(counted)
    if sizes[1] > 3:
        network = Network(ALL, *sizes, auxiliary=True)
        counted = sum(p.numel() for p in network.parameters())
        assert parameters(ALL, *sizes, auxiliary=True) == counted


def test_tiny_robustbench_is_read_whole_and_ranked_by_size(real_data):
    sizes, robust, names = [], [], set()
    for path in sorted((real_data / "tiny-robustbench").glob("*.json")):
        for record in json.loads(path.read_text()):
            net = record["net"]
            genotype = Genotype.from_mapping(net["genotype"])
            assert Genotype.parse(str(genotype)) == genotype
            names.add(str(genotype))
            sizes.append(parameters(genotype, net["width"], net["depth"]))
            robust.append(record["max_test_top1_adv"])
    assert len(names) == len(sizes) == 223
    assert kendalltau(sizes, robust).statistic == pytest.approx(0.41, abs=0.03)


# --- training -------------------------------------------------------------------------


def test_edges_are_dropped_in_train_mode_only():
    network, batch = rough(V2, drop_path=0.5), images()
    assert torch.equal(network(batch), network(batch))
    network.train()
    one, other = network(batch), network(batch)
    assert not torch.equal(one, other)
    network.drop_path = 0.0
    torch.testing.assert_close(network(batch), network(batch), rtol=1e-12, atol=0)


def test_a_dropped_edge_is_zero_for_an_image_and_the_others_are_scaled():
    skips = Genotype((("skip_connect", 0), ("dil_conv_3x3", 1)) * 4, V2.reduce)
    network = rough(skips, depth=4, drop_path=0.75).train()
    cell = network.cells[0]
    skip, kept = torch.zeros(400, 2, 4, 4), torch.ones(400, 2, 4, 4)
    cell._ops[1] = nn.ReLU()
    values = cell._edge(1, [skip, kept], 0.75)
    assert set(values.unique().tolist()) == {0.0, 4.0}
    assert all(len(one.unique()) == 1 for one in values)  # of an image, all or nothing
    assert values.mean().item() == pytest.approx(1, abs=0.3)
    assert torch.equal(cell._edge(0, [kept, skip], 0.75), kept)


def test_the_auxiliary_head_leaves_the_logits_alone():
    network, batch = rough(V2, auxiliary=True), images(2, 32)
    logits, auxiliary = network.with_auxiliary(batch)
    assert torch.equal(logits, network(batch))
    assert auxiliary.shape == (2, 5)
    inner = []
    network.cells[2].register_forward_hook(lambda *arguments: inner.append(arguments[-1]))
    network(batch)
    head = network.auxiliary_head.state_dict()
    x = functional.avg_pool2d(functional.relu(inner[0]), 5, 3)
    for conv, norm in (("2", "3"), ("5", "6")):
        x = functional.conv2d(x, head[f"features.{conv}.weight"])
        x = functional.relu(functional.batch_norm(
            x, *(head[f"features.{norm}.{key}"]
                 for key in ("running_mean", "running_var", "weight", "bias"))
        ))  # fmt: skip
    x = functional.linear(x.flatten(1), head["classifier.weight"], head["classifier.bias"])
    torch.testing.assert_close(auxiliary, x)
    without = {key for key in network.state_dict() if not key.startswith("auxiliary_head.")}
    assert without == set(rough(V2).state_dict())


# --- weights --------------------------------------------------------------------------


def same(one, other):
    one, other = one.state_dict(), other.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


random_network = partial(any_random_network, get("darts"))


@pytest.mark.parametrize("init", INITIALISATIONS)
def test_weights_depend_on_the_key_alone(init):
    sizes = {"channels": 2, "cells": 3}
    before = torch.get_rng_state()
    network = random_network(ALL, 0, init, **sizes)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(5)
    assert same(network, random_network(Genotype.parse(str(ALL)), 0, init, **sizes))
    assert not same(network, random_network(ALL, 1, init, **sizes))
    # Genotypes of one shape draw different weights from one seed.
    one, other = (
        random_network(Genotype((("max_pool_3x3", source),) * 8, ALL.reduce), 0, init, **sizes)
        for source in (0, 1)
    )
    assert not torch.equal(one.stem[0].weight, other.stem[0].weight)
    biases = network.classifier.bias
    assert bool(biases.any()) == (init == "random")


# --- what is refused ------------------------------------------------------------------


@pytest.mark.parametrize(
    "sizes",
    [
        {"width": 0}, {"width": 2.0}, {"width": True}, {"width": 2000}, {"depth": 0},
        {"depth": 101}, {"width": 1024, "depth": 100}, {"classes": 0}, {"classes": 10**9},
        {"in_channels": 0}, {"drop_path": 1.0}, {"drop_path": -0.1}, {"drop_path": "0"},
        {"auxiliary": True, "depth": 3}, {"drop_path": float("nan")},
    ],
)  # fmt: skip
def test_sizes_that_cannot_be_are_refused(sizes):
    with pytest.raises(InputError, match="got"):
        Network(V2, **sizes)


def test_images_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match=r"multiples of 4.*10, 8"):
        rough(V2)(torch.zeros(1, 3, 10, 8, dtype=torch.float64))
    with pytest.raises(InputError, match="auxiliary=True"):
        rough(V2).with_auxiliary(images(1, 32))
    with pytest.raises(InputError, match="32 × 32"):
        rough(V2, auxiliary=True).with_auxiliary(images(1, 16))
    with pytest.raises(InputError, match="pixels; got 6"):
        flops(V2, size=6)
    with pytest.raises(InputError, match="expected one of random"):
        random_network(V2, 0, "kaiming")


def test_all_operations_are_tried():
    assert {operation for cell in ALL.cells.values() for operation, _ in cell} == set(OPERATIONS)
