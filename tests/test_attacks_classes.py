"""Few classes: what an attack says at the start, and what it does with them."""

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from evaluation.attacks import ATTACKS, make
from evaluation.attacks.base import Attack
from evaluation.attacks.draws import Draws
from evaluation.attacks.ensemble import Standard
from evaluation.attacks.examples import Examples
from evaluation.attacks.original import Original
from evaluation.attacks.victim import Victim
from tests.attack_networks import balanced, inner_images

SHAPE = (1, 4, 4)
SHORT: dict[str, dict[str, Any]] = {
    "square": {"queries": 30},
    "autoattack": {"steps": 8, "queries": 30},
}
LEAST = {"apgd-dlr": 3, "apgd-t": 4}


def fallen(attack, classes, epsilon=0.5):
    """Which of some images an attack breaks at a large ε."""
    network, images = balanced(classes, SHAPE), inner_images(12, SHAPE)
    labels = network(images).argmax(1)
    batch = Examples(Victim(network, images), images, labels, Draws.of(images, 0))
    proposals = attack.propose(batch, epsilon, True)
    return network(proposals).argmax(1) != labels


@pytest.mark.parametrize("name", list(ATTACKS))
def test_what_has_no_meaning_is_refused_and_the_rest_attacks(name):
    attack = make(name, **SHORT.get(name, {}))
    least = LEAST.get(name, 2)
    with pytest.raises(ValueError, match=f"^{name} needs {least} classes and the network has"):
        attack.notes(least - 1)
    for classes in range(least, 5):
        assert all(text.startswith("note: ") for text in attack.notes(classes))
        assert fallen(attack, classes).any()
    assert attack.notes(10) == []


def test_what_is_refused_says_what_to_do():
    with pytest.raises(ValueError, match=r"DLR loss compares 3 logits; take apgd-ce instead$"):
        make("apgd-dlr").notes(2)
    with pytest.raises(ValueError, match=r"DLR loss compares 4 logits; take apgd-ce instead$"):
        make("apgd-t").notes(3)


@pytest.mark.parametrize("name", ["apgd-t", "fab-t"])
def test_fewer_targets_than_asked_for_are_noted(name):
    assert make(name).notes(5) == [
        f"note: {name} aims at 4 of the 9 target classes asked for: the network has 5 classes"
    ]
    assert make(name, target_classes=4).notes(5) == []


def test_autoattack_notes_what_it_leaves_out():
    assert make("autoattack").notes(3) == [
        "note: autoattack leaves out apgd-t, which needs 4 classes: the network has 3",
        "note: fab-t aims at 2 of the 9 target classes asked for: the network has 3 classes",
    ]
    assert [text.split()[1] for text in make("autoattack").notes(4)] == ["apgd-t", "fab-t"]


@dataclass(frozen=True)
class Idle(Attack):
    """Breaks nothing, and remembers that it was asked."""

    least: int = 2
    name: ClassVar[str] = "idle"
    asked: ClassVar[list[int]] = []

    @property
    def least_classes(self):  # type: ignore[override]
        return self.least

    def propose(self, batch, epsilon, stop_early):
        self.asked.append(self.least)
        return batch.images.clone()


@pytest.mark.parametrize(("classes", "expected"), [(2, [2, 2]), (3, [2, 3, 2]), (4, [2, 3, 4, 2])])
def test_autoattack_leaves_out_by_the_logits_that_it_sees(classes, expected, monkeypatch):
    members = (Idle(), Idle(least=3), Idle(least=4), Idle())
    monkeypatch.setattr(Standard, "members", lambda self: members)
    Idle.asked.clear()
    assert not fallen(Standard(), classes).any()
    assert Idle.asked == expected


ORIGINALS = [("apgd-ce", 2), ("apgd-dlr", 3), ("apgd-t", 4), ("fab-t", 2), ("square", 2)]


@pytest.mark.parametrize(("member", "least"), [*ORIGINALS, ("autoattack", 4)])
def test_the_original_is_refused_where_its_package_fails(member, least):
    attack = Original(member=member)
    with pytest.raises(ValueError, match=f"the original {member} needs {least} classes and the"):
        attack.notes(least - 1)
    targeted = member in ("apgd-t", "fab-t", "autoattack")
    assert attack.notes(least) == targeted * [
        f"note: the original {member} aims at {least - 1} of the 9 target classes asked for: the "
        f"network has {least} classes"
    ]
    assert attack.notes(10) == []


@pytest.mark.parametrize(("member", "least"), ORIGINALS)
def test_the_original_attacks_what_it_does_not_refuse(member, least):
    pytest.importorskip("pyautoattack")
    assert fallen(Original(member=member, queries=30), least).any()
    if least > 2:  # the package compares more logits than there are
        with pytest.raises(IndexError):
            fallen(Original(member=member), least - 1, epsilon=1e-3)
