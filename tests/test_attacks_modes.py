"""The three ways through an ε grid, and the signs of doubt."""

import itertools
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import nn

from evaluation.attacks import evaluate, make
from evaluation.attacks.base import Attack
from evaluation.attacks.modes import AUDIT
from tests.attack_networks import Linear, digits, digits_network, inner_images

GRID = [4.0, 12.0, 24.0, 40.0]
SHAPE = (1, 4, 4)


@pytest.fixture(scope="module")
def runs():
    network, (images, labels) = digits_network(), digits(150)
    attack = make("apgd-ce", steps=30)
    return {
        mode: evaluate(network, images, labels, attack, GRID, mode=mode)
        for mode in ("record", "accuracy", "descending")
    }


def test_only_the_cost_tells_the_modes_apart(runs):
    for mode in ("accuracy", "descending"):
        for level, whole in zip(runs[mode].levels, runs["record"].levels, strict=True):
            assert abs(int(level.robust.sum()) - int(whole.robust.sum())) <= 1
    gradients = {mode: sum(x.gradients for x in run.levels) for mode, run in runs.items()}
    correct = int(runs["record"].correct.sum())
    assert gradients["record"] == len(GRID) * 31 * correct
    assert gradients["descending"] < 0.7 * gradients["record"]
    assert gradients["accuracy"] < 0.7 * gradients["record"]


@pytest.mark.parametrize("mode", ["accuracy", "descending"])
def test_what_is_robust_at_an_epsilon_is_so_at_every_smaller_one(runs, mode):
    levels = runs[mode].levels
    for small, large in itertools.pairwise(levels):
        assert not (large.robust & ~small.robust).any()


def test_the_order_of_the_grid_does_not_matter():
    network, (images, labels) = digits_network(), digits(20)
    up = evaluate(network, images, labels, make("pgd", steps=5), [4.0, 12.0], mode="accuracy")
    down = evaluate(network, images, labels, make("pgd", steps=5), [12.0, 4.0], mode="accuracy")
    assert [level.epsilon for level in down.levels] == [12.0, 4.0]
    for one, two in zip(up.levels, reversed(down.levels), strict=True):
        assert torch.equal(one.robust, two.robust)


def test_fgsm_is_the_same_in_every_mode():
    network, (images, labels) = digits_network(), digits(60)
    found = [
        evaluate(network, images, labels, make("fgsm"), [4.0, 12.0, 255.0], mode=mode).levels
        for mode in ("record", "accuracy", "descending")
    ]
    for levels in zip(*found, strict=True):
        assert all(torch.equal(level.images, levels[0].images) for level in levels)


@dataclass(frozen=True)
class Fickle(Attack):
    """Breaks every image at small ε and none at large ones: no real attack does."""

    limit: float = 10.0
    name: ClassVar[str] = "fickle"

    def propose(self, victim, images, labels, epsilon, draws, stop_early):
        if 255 * epsilon > self.limit:
            return images.clone()
        return images - epsilon * torch.sign(victim.network.slope)


class Slope(nn.Module):
    """Class 1 if the mean pixel is above .5."""

    def __init__(self):
        super().__init__()
        self.register_buffer("slope", torch.ones(SHAPE))

    def forward(self, x):
        score = (x.flatten(1).mean(1) - 0.5) * 100
        return torch.stack([-score, score, score - 50], 1)


def test_the_audit_finds_what_the_inference_gets_wrong():
    images = torch.full((2000, *SHAPE), 0.502)
    images += torch.linspace(0, 1e-3, 2000)[:, None, None, None]  # all different
    labels = torch.ones(2000, dtype=torch.int64)
    result = evaluate(Slope(), images, labels, Fickle(), [4.0, 20.0], mode="descending")
    small, large = result.levels
    assert large.robust.all()
    assert small.counts["inferred"] == 2000
    assert small.counts["audited"] == pytest.approx(2000 * AUDIT, rel=0.35)
    assert small.counts["audit broke"] == small.counts["audited"]
    assert int((~small.robust).sum()) == small.counts["audit broke"]
    assert any("fell in the audit" in text for text in result.warnings)


def test_a_loss_of_monotonicity_is_reported():
    images = torch.full((50, *SHAPE), 0.502)
    labels = torch.ones(50, dtype=torch.int64)
    result = evaluate(Slope(), images, labels, Fickle(), [4.0, 20.0])
    assert any(text.startswith("not monotone in ε: up to 50 of 50") for text in result.warnings)


class Noisy(Linear):
    def forward(self, x):
        self.source = getattr(self, "source", None) or torch.Generator().manual_seed(0)
        return super().forward(x) + 1e-3 * torch.randn(len(x), 3, generator=self.source)

    def __deepcopy__(self, memo):
        return Noisy(3, SHAPE)


class Softmax(Linear):
    def forward(self, x):
        return super().forward(x).softmax(1)


class Saturated(Linear):
    def forward(self, x):
        return 1e6 * super().forward(x)


class Masked(nn.Module):
    """Sees pixels in 8 steps: right about its images, without a gradient that leads away."""

    def __init__(self):
        super().__init__()
        self.inner = Linear(3, SHAPE)

    def forward(self, x):
        return self.inner((x * 8).round() / 8 + 0 * x)


def warnings(network, name="apgd-ce", images=None):
    images = inner_images(64, SHAPE) if images is None else images
    labels = network(images).argmax(1)
    result = evaluate(network, images, labels, make(name), [2.0])
    return [text for text in result.warnings if not text.startswith("note: ")]


def test_random_outputs_are_reported():
    assert any(text.startswith("random outputs") for text in warnings(Noisy(3, SHAPE)))


def test_probabilities_are_reported():
    assert any("probabilities, not logits" in text for text in warnings(Softmax(3, SHAPE)))


def test_zero_gradients_are_reported():
    assert any(text.startswith("zero gradients") for text in warnings(Saturated(3, SHAPE)))


def test_masked_gradients_are_reported_at_a_huge_epsilon():
    assert any("ε = 128/255" in text for text in warnings(Masked()))


def test_an_ordinary_network_raises_no_doubt():
    network, (images, _) = digits_network(), digits(64)
    for name in ("fgsm", "pgd", "apgd-ce", "square"):
        assert warnings(network, name, images) == []
