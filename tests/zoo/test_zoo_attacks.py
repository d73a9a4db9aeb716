"""Every attack on every architecture, at tiny budgets: what it proposes and what is said of it."""

from contextlib import nullcontext
from dataclasses import fields
from functools import lru_cache
from typing import Any

import pytest
import torch
from torch import nn

from evaluation.attacks import ATTACKS, evaluate, make
from evaluation.attacks.base import Attack
from evaluation.attacks.evaluation import Evaluation
from tests.zoo.architectures import chosen, whole
from tests.zoo.case import Case, case, fingerprint

BUDGET = {"steps": 3, "queries": 20, "target_classes": 2}
EPSILONS = {"Linf": [1.0, 32.0], "L2": [32.0, 512.0]}  # in units of 1/255
SLACK = 1e-5  # of float32 images at distance ε
MARGIN = 1e-3  # of float64 logits, relative: nearer classes are anyone's guess


def small(name: str, norm: str) -> Attack:
    """Return an attack of three steps."""
    known = {field.name for field in fields(ATTACKS[name].kind)}
    settings: dict[str, Any] = {key: value for key, value in BUDGET.items() if key in known}
    return make(name, norm, **settings)


@lru_cache(maxsize=2)
def run(item: Case, name: str, norm: str, mode: str) -> Evaluation:
    """Attack the network, whose state must not change."""
    before = fingerprint(item.network)
    attack = small(name, norm)
    found = evaluate(
        item.network, item.images, item.labels, attack, EPSILONS[norm], mode=mode, checks=False
    )
    assert fingerprint(item.network) == before, "the network was changed"
    return found


norms = pytest.mark.parametrize("norm", EPSILONS if whole() else ["Linf"])
names = pytest.mark.parametrize(
    "name", ATTACKS if whole() else ["fgsm", "apgd-ce", "fab-t", "square"]
)


@names
@norms
def test_proposals_are_inside_and_judged_right(item: Case, norm: str, name: str):
    result = run(item, name, norm, "record")
    oracle = item.oracle
    assert result.correct.tolist() == [True] * (len(item.labels) - 1) + [False]
    for level in result.levels:
        assert level.images is not None
        assert level.counts["outside"] == level.counts["not finite"] == 0
        assert 0 <= level.images.min() <= level.images.max() <= 1
        order = float("inf") if norm == "Linf" else 2
        moved = (level.images - item.images).flatten(1).double().norm(order, dim=1)
        assert moved.max() <= level.epsilon / 255 + SLACK
        with torch.no_grad():
            logits = oracle.network(level.images.double())
        top = logits.topk(2).values
        clear = top[:, 0] - top[:, 1] > MARGIN * logits.abs().max()
        assert torch.equal(level.prediction[clear], logits.argmax(1)[clear])
        robust = result.correct & (level.prediction == item.labels)
        assert torch.equal(level.robust, robust)


@names
@norms
def test_modes_agree(item: Case, norm: str, name: str):
    full = [level.robust for level in run(item, name, norm, "record").levels]
    quick = [level.robust for level in run(item, name, norm, "accuracy").levels]
    # From below, what is broken stays broken where balls are nested.
    nested = ATTACKS[name].kind.nested
    expected = [full[0], full[1] & full[0] if nested else full[1]]
    for found, robust in zip(quick, expected, strict=True):
        # In full, PGD ends at its last iterate; in a hurry, at the first that breaks.
        assert not (found & ~robust).any()
        assert name == "pgd" or torch.equal(found, robust)
    assert not nested or not (quick[1] & ~quick[0]).any()


def test_attacks_break_something(item: Case):
    """Else the other tests would look at clean images."""
    result = run(item, "apgd-ce", "Linf", "record")
    assert result.levels[-1].robust.sum() < result.correct.sum()


class TwoClasses(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images):
        return self.network(images)[:, :2]


@names
def test_two_classes_are_attacked_or_refused_in_words(name: str):
    item = case(chosen()[0])
    network = TwoClasses(item.network)
    with torch.no_grad():
        labels = network(item.images).argmax(1)
    refused = name in ("apgd-dlr", "apgd-t")
    # So small that no image falls, and every member of an ensemble is asked.
    epsilons = [1e-3]
    with pytest.raises(ValueError, match="has 2") if refused else nullcontext():
        result = evaluate(network, item.images, labels, small(name, "Linf"), epsilons, checks=False)
        assert result.correct.all()
        left_out = any("leaves out apgd-t" in text for text in result.warnings)
        assert left_out is (name == "autoattack")
