"""NATS-Bench's size space: names, ids, networks, costs, weights."""

import collections
import itertools
import random
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional

from testbed.basis.errors import InputError, ToolkitError
from testbed.spaces.registry import get
from testbed.spaces.size.cost import flops, parameters
from testbed.spaces.size.genotype import (
    SIZE,
    WIDTHS,
    Genotype,
    GenotypeError,
    enumerate_space,
)
from testbed.spaces.size.network import CELL, Network
from testbed.spaces.weights import INITIALISATIONS
from testbed.spaces.weights import random_network as any_random_network

SPACE = get("size")
NAMES = ("8:8:8:8:8", "8:16:24:32:40", "64:8:8:64:64", "32:56:32:48:32")


@pytest.fixture(autouse=True)
def _keep_the_global_random_state():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def rough(name, **sizes):
    """Return a float64 network whose batch norms all do something."""
    network = Network(Genotype.parse(name), **sizes).double().eval()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.normal_(layer.bias)
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2.0)
    return network


# --- names and ids --------------------------------------------------------------------


def test_ids_are_those_of_the_published_order():
    # The authors' list grows by one width at a time, the last of them fastest.
    names = [""]
    for _ in range(5):
        names = [f"{one}:{width}".lstrip(":") for one, width in itertools.product(names, WIDTHS)]
    space = list(enumerate_space())
    assert list(map(str, space)) == names
    assert len(space) == SIZE == 32_768
    for index in (0, 1, 8, 284, 4095, 29_999, SIZE - 1):
        assert space[index].index == index
        assert Genotype.from_index(index) == space[index] == Genotype.parse(names[index])
    assert [one.index for one in space] == list(range(SIZE))


@pytest.mark.parametrize(
    "text",
    [
        "", "8", "8:8:8:8", "8:8:8:8:8:8", "8:8:8:8:7", "8:8:8:8:72", "8:8:8:8:08", "8:8:8:8:-8",
        "8,8,8,8,8", "8:8:8:8:8.0", ":8:8:8:8", "8:8: 8:8:8", "8:8:8:8:8:", "8\n:8:8:8:8",
        "a:b:c:d:e", "\u0668:8:8:8:8", CELL, None, 8, ["8"] * 5,
        pytest.param("8:" * 10**5, id="long"),
    ],
)  # fmt: skip
def test_what_is_no_name_is_refused(text):
    with pytest.raises(GenotypeError, match="got") as caught:
        Genotype.parse(text)
    assert isinstance(caught.value, ToolkitError)
    assert "8" in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("widths", [(), (8,) * 4, (8, 8, 8, 8, 9), (8.0,) * 5, "88888", 8, None])
def test_what_are_no_widths_is_refused(widths):
    with pytest.raises(GenotypeError, match="got"):
        Genotype(widths)


@pytest.mark.parametrize("index", [-1, SIZE, 1.0, True, "3", None])
def test_what_is_no_id_is_refused(index):
    with pytest.raises(GenotypeError, match=r"0 to 32,767; got"):
        Genotype.from_index(index)


def test_a_list_of_widths_is_as_good():
    assert Genotype([8, 16, 24, 32, 40]) == Genotype.parse(" 8:16:24:32:40\n")
    assert len({Genotype([8, 16, 24, 32, 40]), Genotype.parse("8:16:24:32:40")}) == 1


# --- draws, steps ----------------------------------------------------------


def test_draws_are_uniform():
    source = random.Random(0)
    drawn = [SPACE.draw(source) for _ in range(2000)]
    widths = collections.Counter(width for one in drawn for width in one.widths)
    assert all(abs(widths[width] / 10_000 - 1 / 8) < 0.015 for width in WIDTHS)


@pytest.mark.parametrize("name", NAMES)
def test_neighbours_differ_in_one_width(name):
    genotype = Genotype.parse(name)
    found = SPACE.neighbours(genotype)
    assert len(set(found)) == len(found) == 35
    for one in found:
        assert sum(a != b for a, b in zip(one.widths, genotype.widths, strict=True)) == 1


# --- networks -------------------------------------------------------------------------


def evaluate(state, x, train):
    """Evaluate the network from its state dict, edge by edge of the cell's string."""

    def norm(x, name):
        mean, var, weight, bias = (
            state[f"{name}.{key}"].clone()
            for key in ("running_mean", "running_var", "weight", "bias")
        )
        return functional.batch_norm(x, mean, var, weight, bias, training=train)

    def conv(x, name, stride=1):
        x = functional.conv2d(functional.relu(x), state[f"{name}.1.weight"], None, stride, 1)
        return norm(x, f"{name}.2")

    def cell(x, name):
        nodes, number = [x], 0
        for part in CELL.split("+"):
            total = 0
            for source, word in enumerate(part.strip("|").split("|")):
                assert word.endswith(f"~{source}")
                layer = f"{name}.layers.{number}"
                if word.startswith("nor_conv_3x3"):
                    term = conv(nodes[source], f"{layer}.op")
                elif f"{layer}.conv.weight" in state:
                    weight = state[f"{layer}.conv.weight"][:, :, 0, 0]
                    term = norm(torch.einsum("oc,bchw->bohw", weight, x), f"{layer}.bn")
                else:
                    term = nodes[source]
                total, number = total + term, number + 1
            nodes.append(total)
        return nodes[-1]

    x = norm(functional.conv2d(x, state["stem.0.weight"], padding=1), "stem.1")
    for block in range(5):
        name = f"cells.{block}"
        if block % 2 == 0:
            x = cell(x, name)
        else:
            main = conv(conv(x, f"{name}.conv_a.op", 2), f"{name}.conv_b.op")
            pooled = functional.interpolate(x, scale_factor=0.5, mode="area")
            x = main + functional.conv2d(pooled, state[f"{name}.downsample.1.weight"])
    x = functional.relu(norm(x, "lastact.0")).mean((2, 3))
    return functional.linear(x, state["classifier.weight"], state["classifier.bias"])


@pytest.mark.parametrize("train", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("name", NAMES)
def test_the_function_is_that_of_the_naive_evaluation(name, train):
    network = rough(name, classes=7, in_channels=1).train(train)
    images = torch.rand(3, 1, 8, 12, dtype=torch.float64)
    state = {key: value.clone() for key, value in network.state_dict().items()}
    expected = evaluate(state, images, train)
    assert expected.shape == (3, 7)
    torch.testing.assert_close(network(images), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "expected"),
    [  # counted on the official class, with the official counter
        ("8:8:8:8:8", (11_714, 4_481_114)),
        ("64:64:64:64:64", (713_674, 274_399_882)),
        ("8:16:24:32:40", (115_490, 15_339_930)),
        ("64:8:8:64:64", (423_482, 207_192_714)),
        ("32:56:32:48:32", (249_674, 81_625_418)),
        ("24:8:48:40:32", (185_970, 51_114_314)),
    ],
)
def test_costs_are_those_of_the_official_class(name, expected):
    genotype = Genotype.parse(name)
    assert (parameters(genotype), flops(genotype)) == expected


@pytest.mark.parametrize("width", WIDTHS)
def test_parameters_of_one_width(width):
    # 3 · 5 + 2 · 2 convolutions of 3×3, two of 1×1, the stem, 19 + 2 batch norms, the classifier.
    expected = (19 * 9 + 2) * width**2 + 27 * width + 21 * 2 * width + 10 * (width + 1)
    assert parameters(Genotype((width,) * 5)) == expected


def test_costs_are_those_of_the_network():
    for genotype in [*SPACE.select("sample:6"), Genotype.parse("8:8:64:64:8")]:
        network = Network(genotype, 12, 2).eval()
        assert parameters(genotype, 12, 2) == sum(p.numel() for p in network.parameters())
        counted = []
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.register_forward_hook(
                    lambda layer, _, out, counted=counted: counted.append(
                        layer.weight.numel() * out[0, 0].numel() if out.ndim == 4
                        else layer.weight.numel() + layer.bias.numel()
                    )
                )  # fmt: skip
        network(torch.rand(1, 2, 8, 8))
        assert flops(genotype, 12, 2, size=8) == sum(counted)


# --- weights and refusals -------------------------------------------------------------


random_network = partial(any_random_network, get("size"))


@pytest.mark.parametrize("init", INITIALISATIONS)
def test_weights_depend_on_the_key_alone(init):
    before = torch.get_rng_state()
    first = random_network(Genotype.parse(NAMES[1]), 0, init).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(5)
    again = random_network(Genotype.parse(NAMES[1]), 0, init).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    other = random_network(Genotype.parse(NAMES[1]), 1, init).state_dict()
    assert not torch.equal(first["stem.0.weight"], other["stem.0.weight"])
    narrower = random_network(Genotype.parse(NAMES[0]), 0, init).state_dict()
    assert not torch.equal(first["stem.0.weight"], narrower["stem.0.weight"])


def test_what_does_not_fit_is_refused():
    genotype = Genotype.parse(NAMES[0])
    for sizes in ({"classes": 0}, {"classes": 10**9}, {"in_channels": 1.0}, {"classes": True}):
        with pytest.raises(InputError, match="got"):
            Network(genotype, **sizes)
    with pytest.raises(InputError, match=r"multiples of 4.*10, 8"):
        Network(genotype)(torch.zeros(1, 3, 10, 8))
    with pytest.raises(InputError, match="pixels; got 6"):
        flops(genotype, size=6)
    with pytest.raises(InputError, match="expected one of random"):
        random_network(genotype, 0, "kaiming")
