import random

import numpy as np
import pytest
import torch
from torch import nn

from testbed.basis.seeding import derive_seed, generator
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.nasbench201.weights import INITIALISATIONS, initialise, random_network

ONE_CONVOLUTION = Genotype.parse(
    "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|skip_connect~1|none~2|"
)
# The same shapes, another function.
OTHER = Genotype.parse("|nor_conv_3x3~0|+|none~0|none~1|+|avg_pool_3x3~0|skip_connect~1|none~2|")


def small(genotype=ONE_CONVOLUTION, seed=0, init="random"):
    return random_network(genotype, seed, init, channels=4, cells=1)


def same(one, other):
    one, other = one.state_dict(), other.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def drawn_differently(one, other):
    """Whether every convolution differs."""
    one, other = one.state_dict(), other.state_dict()
    convolutions = [name for name in one if one[name].ndim == 4]
    assert len(convolutions) >= 10
    return not any(torch.equal(one[name], other[name]) for name in convolutions)


# --- the key decides ------------------------------------------------------------------


@pytest.mark.parametrize("init", INITIALISATIONS)
def test_the_same_key_gives_the_same_weights(init):
    first = small(init=init)
    torch.rand(3)
    random_network(OTHER, 5, init, channels=4, cells=1)
    assert same(first, small(init=init))


@pytest.mark.parametrize(
    "other", [{"seed": 1}, {"genotype": OTHER}, *({"init": i} for i in INITIALISATIONS[1:])]
)
def test_another_key_gives_other_weights(other):
    assert drawn_differently(small(), small(**other))


def test_kaiming_and_xavier_are_not_one_draw_scaled():
    kaiming, xavier = (
        small(init=f"random-{name}").stem[0].weight for name in ("kaiming", "xavier")
    )
    assert (kaiming / xavier).std() > 0.1


@pytest.mark.parametrize("init", INITIALISATIONS)
def test_the_global_random_state_is_left_alone(init):
    torch.manual_seed(7)
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    small(init=init)
    after = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


def test_the_random_state_of_other_devices_is_left_alone(monkeypatch):
    seeded = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    small()
    assert seeded == []


def test_the_global_random_state_decides_nothing():
    torch.manual_seed(1)
    first = small()
    torch.manual_seed(2)
    assert same(first, small())


def test_sizes_are_passed_on():
    sizes = {"channels": 3, "cells": 2, "classes": 7, "in_channels": 1}
    network = random_network(ONE_CONVOLUTION, 0, **sizes)
    assert network.stem[0].weight.shape == (3, 1, 3, 3)
    assert network.classifier.weight.shape == (7, 12)
    assert len(network.cells) == 8
    assert network.genotype == ONE_CONVOLUTION


# --- the distribution -----------------------------------------------------------------

# Fan-in 64·9 and fan-out 128·9 tell one from the other.
EXPECTED = {
    "random": (1 / (3 * 64 * 9)) ** 0.5,
    "random-kaiming": (2 / (128 * 9)) ** 0.5,
    "random-xavier": (2 / ((64 + 128) * 9)) ** 0.5,
}


@pytest.mark.parametrize("init", INITIALISATIONS)
def test_the_spread_is_that_of_the_scheme(init):
    network = random_network(ONE_CONVOLUTION, 0, init, channels=64, cells=1)
    weight = network.cells[1].conv_a.op[1].weight
    assert weight.shape == (128, 64, 3, 3)
    assert weight.std().item() == pytest.approx(EXPECTED[init], rel=0.05)
    assert abs(weight.mean().item()) < 0.02 * EXPECTED[init]
    normal = (weight.abs() > 2.5 * EXPECTED[init]).float().mean().item()
    assert normal == (0 if init == "random" else pytest.approx(0.0124, rel=0.2))


@pytest.mark.parametrize("init", INITIALISATIONS)
def test_batch_norms_begin_as_the_identity(init):
    network = small(init=init)
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert len(norms) == 9
    for layer in norms:
        assert (layer.weight == 1).all()
        assert (layer.running_var == 1).all()
        assert not layer.bias.any()
        assert not layer.running_mean.any()
    assert (init == "random") == bool(network.classifier.bias.any())


def test_initialise_takes_any_module():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(400, 300), nn.Conv1d(3, 5, 2), nn.BatchNorm1d(5))
    initialise(module, "xavier")
    assert module[0].weight.std().item() == pytest.approx((2 / 700) ** 0.5, rel=0.05)
    assert not module[0].bias.any()
    assert not module[1].bias.any()
    before = module[1].weight.clone()
    initialise(module, "kaiming")
    assert module[0].weight.std().item() == pytest.approx((2 / 300) ** 0.5, rel=0.05)
    assert not torch.equal(before, module[1].weight)


# --- errors ---------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["kaiming", "xavier"])
def test_layers_of_one_group_are_drawn_as_torch_draws_them(scheme):
    module = nn.Sequential(nn.Conv2d(5, 7, 3), nn.Linear(11, 13), nn.Conv1d(3, 4, 2))
    torch.manual_seed(3)
    initialise(module, scheme)
    torch.manual_seed(3)
    for layer in module:
        expected = torch.empty_like(layer.weight)
        if scheme == "kaiming":
            nn.init.kaiming_normal_(expected, mode="fan_out", nonlinearity="relu")
        else:
            nn.init.xavier_normal_(expected)
        assert torch.equal(layer.weight, expected)


@pytest.mark.parametrize("scheme", ["kaiming", "xavier"])
@pytest.mark.parametrize("groups", [4, 64])
def test_a_grouped_convolution_is_as_wide_as_one_of_its_groups(scheme, groups):
    """It is ``groups`` convolutions side by side, each drawn as it would be alone."""
    torch.manual_seed(0)
    whole = nn.Sequential(nn.Conv2d(64, 64, 9, groups=groups))
    one = nn.Sequential(*(nn.Conv2d(64 // groups, 64 // groups, 9) for _ in range(groups)))
    initialise(whole, scheme)
    initialise(one, scheme)
    alone = torch.stack([layer.weight.detach() for layer in one])
    assert float(whole[0].weight.detach().std()) == pytest.approx(float(alone.std()), rel=0.05)


@pytest.mark.parametrize("channels", [64, 256])
def test_gradients_keep_their_size_through_a_depthwise_convolution(channels):
    """What He et al. (ICCV 2015, section 2.2) choose the fan-out for."""
    torch.manual_seed(0)
    layer = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, groups=channels))
    initialise(layer, "kaiming")
    images = torch.zeros(8, channels, 16, 16, requires_grad=True)
    back = torch.randn(8, channels, 16, 16)
    (gradient,) = torch.autograd.grad(layer(images), images, back)
    inner = gradient[:, :, 1:-1, 1:-1]  # where a pixel feeds nine
    assert float(inner.var()) == pytest.approx(2, rel=0.25)


@pytest.mark.parametrize("init", ["kaiming", "", "Random", "random-"])
def test_an_unknown_initialisation_lists_the_known_ones(init):
    with pytest.raises(ValueError, match=f"{init!r}.*random, random-kaiming, random-xavier"):
        random_network(ONE_CONVOLUTION, 0, init)


def test_an_unknown_scheme_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"'he'.*kaiming or xavier"):
        initialise(nn.Linear(2, 2), "he")


# --- seeds ----------------------------------------------------------------------------


def test_seeds_are_fixed_for_all_machines():
    assert derive_seed("weights", 0) == 6270048173454430102
    assert derive_seed("a", "bc") != derive_seed("ab", "c")
    seeds = [derive_seed("weights", i) for i in range(200)]
    assert len(set(seeds)) == 200
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert max(seeds) >= 2**62


def test_a_generator_depends_on_its_key_alone():
    state = torch.get_rng_state()
    first = torch.rand(4, generator=generator("images", 3))
    assert torch.equal(first, torch.rand(4, generator=generator("images", 3)))
    assert not torch.equal(first, torch.rand(4, generator=generator("images", 4)))
    assert torch.equal(state, torch.get_rng_state())
