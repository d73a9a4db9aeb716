"""CRoZe against a network that is perturbed and compared module by module, in float64."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cosine_similarity, cross_entropy

import proxies
from tests.any_modules import cnn, images, labels


def look(network: nn.Module, x):
    """Features of the two layers, and gradients of their weights."""
    features = {}
    for index in (0, 4):
        network[index].register_forward_hook(lambda _, __, out, i=index: features.update({i: out}))
    x = x.clone().requires_grad_()
    loss = cross_entropy(network(x), labels())
    weights = [network[0].weight, network[4].weight]
    *gradients, image = torch.autograd.grad(loss, [*weights, x])
    return [features[0], features[4]], gradients, image


def cosine(a, b) -> float:
    return float(cosine_similarity(a.flatten(), b.flatten(), dim=0).detach())


@pytest.mark.parametrize(("beta", "epsilon", "rate"), [(2.0, 2.55, 0.1), (0.5, 8.0, 1.0)])
def test_croze_by_hand(beta, epsilon, rate):
    clean = cnn().double()
    x = images().double()
    features, gradients, _ = look(clean, x)
    other = copy.deepcopy(clean)
    with torch.no_grad():
        for index, g in zip((0, 4), gradients, strict=True):
            weight = other[index].weight
            weight += beta * weight.norm() * g / g.norm()
    attacked = (x + epsilon / 255 * look(other, x)[2].sign()).clamp(0, 1)
    features_r, gradients_r, _ = look(other, attacked)
    total = 0.0
    for k, index in enumerate((0, 4)):
        stepped = clean[index].weight - rate * gradients[k]
        stepped_r = other[index].weight - rate * gradients_r[k]
        z, p = 1 + cosine(features[k], features_r[k]), 1 + cosine(stepped, stepped_r)
        total += z * p * abs(cosine(gradients[k], gradients_r[k]))
    options = {"croze": {"beta": beta, "epsilon": epsilon, "rate": rate}}
    found = proxies.score(cnn().double(), x, labels(), "croze", options=options)["croze"]
    assert found.value == pytest.approx(total, rel=1e-9)


def test_a_faint_perturbation_changes_nothing():
    options = {"croze": {"beta": 1e-12, "epsilon": 1e-9}}
    found = proxies.score(cnn().double(), images().double(), labels(), "croze", options=options)
    assert found["croze"].value == pytest.approx(2 * 2 * 1 * 2, rel=1e-6)  # of two layers


def test_options_that_are_none():
    with pytest.raises(ValueError, match="positive"):
        proxies.score(cnn(), images(), labels(), "croze", options={"croze": {"beta": -1.0}})
    assert math.isfinite(proxies.score(cnn(), images(), labels(), "croze")["croze"].value)
