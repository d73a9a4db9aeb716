"""Each sign of doubt is raised by the network or attack that deserves it, and by no other."""

from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import nn

from evaluation.attacks import ATTACKS, evaluate, make
from evaluation.attacks.base import Attack
from tests.attack_networks import Linear, digits, digits_network, inner_images
from tests.thorough import some

SHAPE = (1, 4, 4)
DOUBTS = {
    "random": "random outputs", "softmax": "outputs are probabilities", "flat": "zero gradients",
    "huge": "at ε = 128/255", "order": "not monotone in ε", "outside": "left the ball",
    "finite": "not finite", "audit": "fell in the audit",
}  # fmt: skip


def doubts(network, attack="apgd-ce", epsilons=(2.0,), images=None, **options):
    """The kinds of warnings about a network that is right about all images."""
    images = inner_images(64, SHAPE) if images is None else images
    labels = network.eval()(images).argmax(1)
    attack = make(attack) if isinstance(attack, str) else attack
    result = evaluate(network, images, labels, attack, list(epsilons), **options)
    assert result.warnings[: len(result.network_warnings)] == result.network_warnings
    serious = [text for text in result.warnings if not text.startswith("note: ")]
    kinds = [kind for text in serious for kind, words in DOUBTS.items() if words in text]
    assert len(kinds) == len(serious), serious
    return set(kinds)


class Noisy(Linear):
    """Adds noise of its own, from a generator that no copy shares."""

    def forward(self, x):
        self.__dict__.setdefault("source", torch.Generator().manual_seed(0))
        return super().forward(x) + 1e-3 * torch.randn(len(x), 3, generator=self.source)

    def __deepcopy__(self, memo):
        return Noisy(3, SHAPE)


class Softmax(Linear):
    def forward(self, x):
        return super().forward(x).softmax(1)


class Saturated(Linear):
    def forward(self, x):
        return 1e6 * super().forward(x)


class Stepped(Linear):
    """Sees pixels in 8 steps, so that its gradient is zero everywhere."""

    def forward(self, x):
        return super().forward((x * 8).round() / 8 + 0 * x)


class Misleading(Linear):
    """Has gradients, and they point to where the network is most certain."""

    def forward(self, x):
        return super().forward(2 * x.detach() - x)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Linear, set()), (Noisy, {"random"}), (Softmax, {"softmax"}),
        (Saturated, {"flat", "huge"}), (Stepped, {"flat", "huge"}), (Misleading, {"huge"}),
    ],
)  # fmt: skip
def test_each_network_raises_its_own_doubts(kind, expected):
    assert doubts(kind(3, SHAPE)) == expected


@pytest.mark.parametrize("name", ["fgsm", "square"])
def test_a_huge_epsilon_is_a_matter_of_iterative_gradient_attacks(name):
    assert doubts(Misleading(3, SHAPE), make(name)) == set()


def test_no_checks_no_warnings():
    network, images = Saturated(3, SHAPE), inner_images(8, SHAPE)
    labels = torch.zeros(8, dtype=torch.int64)
    result = evaluate(network, images, labels, make("fgsm"), [1.0], checks=False)
    assert result.warnings == result.network_warnings == []


@dataclass(frozen=True)
class Crooked(Attack):
    """Does one thing wrong; darkens images, if it does anything right."""

    fault: str = ""
    name: ClassVar[str] = "crooked"
    uses_gradients: ClassVar[bool] = False

    def propose(self, batch, epsilon, stop_early):
        images = batch.images
        if self.fault == "outside":
            return images - 2 * epsilon
        if self.fault == "finite":
            return images / 0
        if 255 * epsilon > 10:
            return images.clone()
        return images - epsilon * (torch.arange(len(images)) < int(self.fault)).view(-1, 1, 1, 1)


class Brightness(nn.Module):
    def forward(self, x):
        score = (x.flatten(1).mean(1) - 0.5) * 100
        return torch.stack([-score, score, score - 50], 1)


@pytest.mark.parametrize("fault", ["outside", "finite"])
def test_an_attack_that_breaks_the_rules_is_reported(fault):
    images = torch.full((50, *SHAPE), 0.502)
    assert doubts(Brightness(), Crooked(fault=fault), [4.0], images) == {fault}


def test_lost_monotonicity_is_a_doubt_from_more_than_single_images_on():
    images = torch.full((200, *SHAPE), 0.502)
    assert doubts(Brightness(), Crooked(fault="3"), [20.0, 4.0], images) == {"order"}
    assert doubts(Brightness(), Crooked(fault="2"), [20.0, 4.0], images) == set()
    labels = torch.ones(200, dtype=torch.int64)
    result = evaluate(Brightness(), images, labels, Crooked(fault="2"), [20.0, 4.0])
    assert result.warnings == [
        "note: not monotone in ε: up to 2 of 200 images are broken at some ε and resist at a "
        "larger one"
    ]


def test_an_audit_that_broke_is_a_doubt():
    images = 0.502 + torch.linspace(0, 1e-3, 200).view(-1, 1, 1, 1).expand(200, *SHAPE)
    found = doubts(Brightness(), Crooked(fault="200"), [20.0, 4.0], images, mode="descending")
    assert "audit" in found


SHORT = {"square": {"queries": 50}, "apgd-t": {"steps": 10}, "fab-t": {"steps": 5},
         "autoattack": {"steps": 5, "queries": 20}}  # fmt: skip


@pytest.mark.parametrize("name", some(list(ATTACKS), 5))
def test_an_ordinary_network_raises_no_doubt_but_the_note(name):
    network, (images, labels) = digits_network(), digits(60)
    labels[0] = (labels[0] + 1) % 10  # so that one image at least is wrong
    wrong = int((network(images).argmax(1) != labels).sum())
    attack = make(name, **SHORT.get(name, {}))
    result = evaluate(network, images, labels, attack, [4.0, 12.0])
    serious = [text for text in result.warnings if not text.startswith("note: not monotone")]
    assert serious == [
        f"note: {wrong} of 60 clean images are misclassified and count as not robust at every ε"
    ]
