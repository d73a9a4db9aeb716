"""Scores of the cell alone, and scores after a few steps of training."""

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import proxies
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.nasbench201.weights import random_network
from tests.any_modules import cnn, images, labels
from tests.small_networks import DEAD, ONE_OF_EACH


def structure(text: str) -> dict[str, float]:
    network = random_network(Genotype.parse(text), 0, channels=2, cells=1, classes=3)
    found = proxies.score(network, torch.rand(2, 3, 8, 8), None, "structural")
    return {name: score.value for name, score in found.items()}


def test_paths_and_live_operations_counted_by_hand():
    # 0→1: 3×3; 0→2: skip, 1→2: pooling; 0→3: 1×1, 2→3: 3×3; 1→3 is none. Three paths:
    # 3×3, pooling, 3×3; skip, 3×3; 1×1.
    found = structure(ONE_OF_EACH)
    assert found["paths_count"] == 3
    assert (found["paths_pool_min"], found["paths_pool_mean"]) == (0, 1 / 3)
    assert (found["paths_conv3_min"], found["paths_conv3_mean"]) == (0, 1)
    assert found["paths_conv1_mean"] == 1 / 3
    assert found["paths_skip_mean"] == 1 / 3
    assert found["paths_conv3_pool_mean"] == 4 / 3
    assert [found[f"live_{name}"] for name in ("conv3", "conv1", "pool", "skip")] == [2, 1, 1, 1]
    assert set(structure(DEAD).values()) == {0.0}


def test_another_network_has_no_cell():
    found = proxies.score(cnn(), images(), None, "structural")
    assert all(math.isnan(score.value) and "no cell" in score.reason for score in found.values())


def trained_by_hand(network: nn.Module, steps: int, rate: float) -> nn.Module:
    network = network.double().train()
    velocity = [torch.zeros_like(p) for p in network.parameters()]
    for _ in range(steps):
        loss = cross_entropy(network(images().double()), labels())
        gradients = torch.autograd.grad(loss, list(network.parameters()))
        with torch.no_grad():
            for p, v, g in zip(network.parameters(), velocity, gradients, strict=True):
                v.mul_(0.9).add_(g)
                p -= rate * v
    return network.eval()


@pytest.mark.parametrize("name", ["jacobian_norm", "hessian_input", "nwot", "curvature"])
def test_a_warm_score_is_that_of_the_network_trained_by_hand(name):
    x, y = images().double(), labels()
    options = {f"warm_{name}": {"steps": 3, "rate": 0.1}}
    warm = proxies.score(cnn().double(), x, y, f"warm_{name}", options=options)[f"warm_{name}"]
    by_hand = proxies.score(trained_by_hand(cnn(), 3, 0.1), x, y, name)[name]
    cold = proxies.score(cnn().double(), x, y, name)[name]
    assert warm.value == pytest.approx(by_hand.value, rel=1e-9)
    assert warm.value != cold.value
    assert warm.seconds > 0


def test_a_training_that_diverges_is_a_reason():
    options = {"warm_nwot": {"steps": 9, "rate": 1e30}}
    found = proxies.score(cnn(), images(), labels(), "warm_nwot", options=options)["warm_nwot"]
    assert math.isnan(found.value)
    assert "finite" in found.reason


def test_one_training_serves_all():
    found = proxies.score(cnn(), images(), labels(), ["warm_nwot", "warm_jacobian_norm"])
    apart = proxies.score(cnn(), images(), labels(), "warm_jacobian_norm")
    assert found["warm_jacobian_norm"].value == apart["warm_jacobian_norm"].value
