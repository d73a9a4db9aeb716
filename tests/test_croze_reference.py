"""croze_reference against the steps of its authors' code, taken one by one in float64."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cosine_similarity, cross_entropy

import proxies
from testbed.networks.normalise import normalised
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.nasbench201.weights import random_network
from tests.any_modules import cnn, images, labels

CELL = "|nor_conv_3x3~0|+|nor_conv_1x1~0|avg_pool_3x3~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
ONE_PATH = "|nor_conv_1x1~0|+|none~0|avg_pool_3x3~1|+|none~0|none~1|skip_connect~2|"
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)


def cosines(a, b):
    return cosine_similarity(a.flatten(1) if a.dim() > 2 else a, b.flatten(1), dim=0)


def made_positive(network: nn.Module) -> nn.Module:
    positive = copy.deepcopy(network).double()
    for parent in list(positive.modules()):
        for name, layer in parent.named_children():
            if isinstance(layer, nn.BatchNorm2d):
                setattr(parent, name, nn.Identity())
    for parameter in positive.parameters():
        parameter.data.abs_()
    return positive


def layers(network: nn.Module) -> dict[str, nn.Module]:
    kinds = nn.Conv2d | nn.Linear
    return {name: layer for name, layer in network.named_modules() if isinstance(layer, kinds)}


def by_the_steps(network, x, classes, pairs, watched, beta=2.0, step=0.01) -> float:
    """The score, features taken from the modules ``watched`` and paired by ``pairs(name)``."""
    net = made_positive(network)
    other = copy.deepcopy(net)
    cross_entropy(net(x), classes).backward()
    with torch.no_grad():
        for layer, twin in zip(layers(net).values(), layers(other).values(), strict=True):
            g = layer.weight.grad
            if g is not None and g.norm() > 0:
                twin.weight += beta * layer.weight.norm() / g.norm() * g
    leaf = x.clone().requires_grad_()
    cross_entropy(other(leaf), classes).backward()  # its gradients stay, as in the code
    attacked = (x - step * leaf.grad.sign()).clamp(0, 1)
    features = []
    for module, seen in ((net, x), (other, attacked)):
        found = {}
        for name in watched:
            layer = module.get_submodule(name)
            layer.register_forward_hook(lambda _, __, out, n=name, f=found: f.update({n: out}))
        value = module(seen)
        features.append({name: out.detach() for name, out in found.items()})
        if module is other:
            cross_entropy(value, classes).backward()
    total = 0.0
    for name, layer in layers(net).items():
        twin, place = layers(other)[name], pairs(name)
        if layer.weight.grad is not None:
            z = 1 + cosines(features[0][place], features[1][place])
            p = 1 + cosines(layer.weight.detach(), twin.weight.detach())
            g = cosines(layer.weight.grad, twin.weight.grad).abs()
            total += float(z.sum() * p.sum() * g.sum())
    return total


def found(network, x, **options):
    score = proxies.score(
        network, x, labels(), "croze_reference", options={"croze_reference": options}
    )
    return score["croze_reference"]


@pytest.mark.parametrize("cell", [CELL, ONE_PATH])
@pytest.mark.parametrize("cells", [1, 2])
def test_a_network_of_cells(cell, cells):
    bare = random_network(Genotype.parse(cell), 0, channels=3, cells=cells, classes=4)
    pooled = "classifier.0"  # what enters the classifier, behind an identity that can be watched
    watchable = made_positive(bare)
    watchable.classifier = nn.Sequential(nn.Identity(), watchable.classifier)
    ends = [f"cells.{cells}", f"cells.{2 * cells + 1}"]
    stages = ["stem", *ends, "lastact", pooled]

    def pairs(name):
        room, *rest = name.split(".")
        if room != "cells":
            return stages[0 if room == "stem" else -1]
        begun = sum(k not in (cells, 2 * cells + 1) for k in range(int(rest[0]) + 1))
        return stages[begun // cells]

    x = images()
    scaled = normalised(nn.Identity(), MEAN, STD).double()(x.double())
    wanted = by_the_steps(watchable, scaled, labels(), pairs, stages)
    score = found(normalised(bare, MEAN, STD), x)
    assert score.value == pytest.approx(wanted, rel=1e-9)
    assert score.reason is None


@pytest.mark.parametrize(("beta", "step"), [(2.0, 0.01), (0.5, 0.1)])
def test_any_other_module_is_paired_with_its_own_features(beta, step):
    x = images().double()
    wanted = by_the_steps(cnn(), x, labels(), lambda name: name, ["0", "4"], beta, step)
    score = found(cnn(), images(), beta=beta, step=step)
    assert score.value == pytest.approx(wanted, rel=1e-9)
    assert "NAS-Bench-201 networks only" in score.reason


def test_images_as_large_as_the_normalisation_makes_them():
    """The step is one of normalised images, which are cut to [0, 1] although they pass it."""
    inside = by_the_steps(cnn(), (images().double() - 0.5) / 0.2, labels(), str, ["0", "4"])
    assert found(normalised(cnn(), [0.5] * 3, [0.2] * 3), images()).value == pytest.approx(inside)
    assert found(cnn(), images()).value != pytest.approx(inside, rel=1e-3)


def test_what_overflows_has_no_score():
    network = nn.Sequential(nn.Flatten(), *(nn.Linear(768, 768) for _ in range(3))).double()
    for layer in network[1:]:
        nn.init.constant_(layer.weight, 1e60)
    score = found(nn.Sequential(*network, nn.Linear(768, 4)), images().double())
    assert math.isnan(score.value)
    assert "overflow" in score.reason


def test_options_that_are_none():
    with pytest.raises(ValueError, match="positive"):
        found(cnn(), images(), step=0.0)
