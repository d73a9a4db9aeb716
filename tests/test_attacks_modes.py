"""The three ways through an ε grid: what they may save, and what they must not change."""

import itertools
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import nn

from evaluation.attacks import MODES, evaluate, make
from evaluation.attacks.base import Attack
from evaluation.attacks.modes import AUDIT
from tests.attack_networks import digits, digits_network

GRID = [4.0, 12.0, 24.0, 40.0]
SHAPE = (1, 4, 4)
STEPS = 20


@pytest.fixture(scope="module")
def runs():
    network, (images, labels) = digits_network(), digits(120)
    attack = make("apgd-ce", steps=STEPS)
    return {mode: evaluate(network, images, labels, attack, GRID, mode=mode) for mode in MODES}


def test_only_the_cost_tells_the_modes_apart(runs):
    whole = [int(level.robust.sum()) for level in runs["record"].levels]
    assert len(set(whole)) == len(GRID)
    for mode in ("accuracy", "descending"):
        found = [int(level.robust.sum()) for level in runs[mode].levels]
        assert found == pytest.approx(whole, abs=1)
    gradients = {mode: sum(x.gradients for x in run.levels) for mode, run in runs.items()}
    assert gradients["descending"] < 0.7 * gradients["record"]
    assert gradients["accuracy"] < 0.7 * gradients["record"]


def test_gradients_are_counted_to_the_image(runs):
    correct = int(runs["record"].correct.sum())
    assert 0 < correct < 120
    for level in runs["record"].levels:
        assert level.gradients == level.queries == (STEPS + 1) * correct
    network, (images, labels) = digits_network(), digits(20)
    pgd = evaluate(network, images, labels, make("pgd"), [4.0, 12.0], batch_size=7).levels
    assert [level.gradients for level in pgd] == [40 * 20, 40 * 20]
    fgsm = evaluate(network, images, labels, make("fgsm"), [4.0, 12.0], batch_size=7).levels
    assert sum(level.gradients for level in fgsm) == 20


@pytest.mark.parametrize("mode", ["accuracy", "descending"])
def test_what_is_robust_at_an_epsilon_is_so_at_every_smaller_one(runs, mode):
    assert not any(level.counts.get("audit broke") for level in runs[mode].levels)
    for small, large in itertools.pairwise(runs[mode].levels):
        assert not (large.robust & ~small.robust).any()


def test_what_an_epsilon_inherits_is_what_the_others_decided(runs):
    up, down, correct = runs["accuracy"].levels, runs["descending"].levels, runs["record"].correct
    assert [level.counts["inherited"] for level in up] == [
        int(n) for n in ((~correct).sum(), *((~level.robust).sum() for level in up[:-1]))
    ]
    for small, large in itertools.pairwise(up):  # by the same perturbation
        broken = ~small.robust & correct
        assert torch.equal(large.images[broken], small.images[broken])
    assert [level.counts["inferred"] for level in down] == [
        *(int(level.robust.sum()) for level in down[1:]), 0
    ]  # fmt: skip
    for level in down:
        assert 0 <= level.counts["audit broke"] <= level.counts["audited"]
        assert level.counts["audited"] <= level.counts["inferred"]
    assert down[0].counts["audited"] > 0


@pytest.mark.parametrize("mode", list(MODES))
def test_the_order_of_the_grid_does_not_matter(mode):
    network, (images, labels) = digits_network(), digits(20)
    up = evaluate(network, images, labels, make("pgd", steps=5), [4.0, 12.0], mode=mode)
    down = evaluate(network, images, labels, make("pgd", steps=5), [12.0, 4.0], mode=mode)
    assert [level.epsilon for level in down.levels] == [12.0, 4.0]
    for one, two in zip(up.levels, reversed(down.levels), strict=True):
        assert torch.equal(one.images, two.images)


def test_fgsm_is_the_same_in_every_mode():
    network, (images, labels) = digits_network(), digits(60)
    found = [
        evaluate(network, images, labels, make("fgsm"), [4.0, 12.0, 255.0], mode=mode).levels
        for mode in MODES
    ]
    for levels in zip(*found, strict=True):
        for part in ("images", "robust", "label_confidence"):
            assert all(torch.equal(getattr(x, part), getattr(levels[0], part)) for x in levels)


@dataclass(frozen=True)
class Fickle(Attack):
    """Breaks every image at small ε and none at large ones: no real attack does."""

    limit: float = 10.0
    name: ClassVar[str] = "fickle"

    def propose(self, batch, epsilon, stop_early):
        return batch.images.clone() if 255 * epsilon > self.limit else batch.images - epsilon


class Brightness(nn.Module):
    """Class 1 if the mean pixel is above .5."""

    def forward(self, x):
        score = (x.flatten(1).mean(1) - 0.5) * 100
        return torch.stack([-score, score, score - 50], 1)


@pytest.fixture(scope="module")
def bright():
    images = torch.full((2000, *SHAPE), 0.502)
    images += torch.linspace(0, 1e-3, 2000)[:, None, None, None]  # all different
    return images, torch.ones(2000, dtype=torch.int64)


def test_the_audit_finds_what_the_inference_gets_wrong(bright):
    result = evaluate(Brightness(), *bright, Fickle(), [2.0, 4.0, 20.0], mode="descending")
    smallest, small, large = result.levels
    assert large.robust.all()
    assert "audit broke" in large.counts
    for level in (smallest, small):
        assert level.counts["inferred"] == 2000
        assert abs(level.counts["audited"] - 2000 * AUDIT) < 30  # three standard deviations
        assert level.counts["audit broke"] == level.counts["audited"]
        assert int((~level.robust).sum()) == level.counts["audit broke"]
    assert not torch.equal(smallest.robust, small.robust), "each ε has an audit of its own"
    assert any("fell in the audit" in text for text in result.warnings)


def test_a_real_audit_does_not_stop_at_what_broke(bright):
    images, labels = bright
    result = evaluate(Brightness(), images, labels, Fickle(limit=300), [0.6, 4], mode="descending")
    small, large = result.levels
    assert not large.robust.any()
    assert 0 < int(small.robust.sum()) < 2000
    assert small.counts == {
        "outside": 0, "not finite": 0, "returned": 0, "inferred": 0, "audited": 0, "audit broke": 0
    }  # fmt: skip


def test_a_grid_from_below_trusts_what_broke(bright):
    result = evaluate(Brightness(), *bright, Fickle(), [4.0, 20.0], mode="accuracy")
    assert not any(level.robust.any() for level in result.levels)
    assert [level.counts["inherited"] for level in result.levels] == [0, 2000]
