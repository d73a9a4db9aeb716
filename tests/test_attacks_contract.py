"""What holds for every attack: an outcome is the image's own, and the network stays as it was."""

import random
from dataclasses import dataclass
from itertools import product
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from evaluation.attacks import ATTACKS, evaluate, make
from evaluation.attacks.base import Attack
from evaluation.attacks.modes import MODES
from evaluation.attacks.norms import ball
from evaluation.attacks.testing import CLASSES, AttackContract
from tests.attack_networks import Linear, colour_images, fresh_network, inner_images
from tests.thorough import some

SHORT = {
    "fgsm": {}, "pgd": {"steps": 4}, "apgd-ce": {"steps": 5}, "apgd-dlr": {"steps": 5},
    "apgd-t": {"steps": 3, "target_classes": 2}, "square": {"queries": 12},
    "fab-t": {"steps": 3, "target_classes": 2}, "autoattack": {"steps": 2, "queries": 4},
}  # fmt: skip
SHAPE = (1, 4, 4)
ALONE = [name for name in ATTACKS if name != "autoattack"]
every = pytest.mark.parametrize("name", list(ATTACKS))
norms = pytest.mark.parametrize("norm", ["Linf", "L2"])


def attack(name, norm="Linf"):
    return make(name, norm, **SHORT[name])


def cell_network():
    return fresh_network(CLASSES)


def problem(count=8):
    """A network and images, of which every third has the wrong label."""
    network, (images, labels) = fresh_network(), colour_images(count)
    right = network(images).argmax(1)
    return network, images, torch.where(labels % 3 == 0, (right + 1) % 10, right)


def same(first, second, rows=slice(None)):
    return all(
        torch.equal(getattr(one, part), getattr(two, part)[rows])
        for one, two in zip(first, second, strict=True)
        for part in ("robust", "prediction", "label_confidence", "images")
    )


def test_every_attack_has_short_settings_here():
    assert set(ATTACKS) <= set(SHORT)


class Short(AttackContract):
    """The promises with settings that take no time, on a cell with one of each operation."""

    network = staticmethod(cell_network)

    def attack(self, record, norm):
        return attack(record.name, norm)


class TestEvery(Short):
    """Of every attack in the table but the ensemble, whose members are here."""

    @pytest.fixture(params=ALONE)
    def record(self, request):
        return ATTACKS[request.param]

    @pytest.mark.parametrize(
        ("mode", "record"), some(list(product(MODES, ALONE)), 11), indirect=["record"]
    )
    def test_neighbours_and_batch_size_leave_no_trace(self, record, mode):
        super().test_neighbours_and_batch_size_leave_no_trace(record, mode)


class TestEnsemble(Short):
    """In the mode of the published data, and in the other ones on its members."""

    @pytest.fixture
    def record(self):
        return ATTACKS["autoattack"]

    @pytest.mark.parametrize("mode", ["record"])
    def test_neighbours_and_batch_size_leave_no_trace(self, record, mode):
        super().test_neighbours_and_batch_size_leave_no_trace(record, mode)


@every
def test_another_seed_draws_other_numbers(name):
    network, images, labels = problem()
    first, second = (
        evaluate(network, images, labels, attack(name), [8.0], seed=seed, checks=False).levels
        for seed in (0, 1)
    )
    assert same(first, second) == (name in ("fgsm", "fab-t"))


def traces(network):
    """All that an attack might leave behind, in the network and in the global generators."""
    numbers = np.random.get_state()[1].tolist()  # noqa: NPY002
    weights = network.parameters()
    return (
        {name: value.clone() for name, value in network.state_dict().items()},
        [module.training for module in network.modules()],
        [(p.requires_grad, p.grad if p.grad is None else p.grad.clone()) for p in weights],
        (torch.get_rng_state().tolist(), numbers, random.getstate()),
    )


def assert_same_traces(first, second):
    assert all(torch.equal(first[0][name], value) for name, value in second[0].items())
    assert first[1] == second[1]
    for (needed, before), (needs, after) in zip(first[2], second[2], strict=True):
        assert needed == needs
        assert after is None if before is None else torch.equal(before, after)
    assert first[3] == second[3]


def lived_in():
    """A network whose modules differ in their modes, and parameters in what they keep."""
    network, images, labels = problem(6)
    network.train()
    network.stem.eval()
    first, second = list(network.parameters())[:2]
    first.requires_grad_(False)
    second.grad = torch.ones_like(second)
    return network, images, labels


def test_an_exception_leaves_the_network_as_it_was():
    network, images, labels = lived_in()
    before = traces(network)
    with pytest.raises(ArithmeticError):
        evaluate(network, images, labels, Fake(trick="raise"), [4.0])
    assert_same_traces(before, traces(network))


def test_the_network_is_asked_in_eval_mode():
    network, images, labels = problem()
    first = evaluate(network, images, labels, attack("pgd"), [8.0]).levels
    assert same(evaluate(network.train(), images, labels, attack("pgd"), [8.0]).levels, first)


class Restless(nn.Module):
    """Counts its passes in a buffer, in eval mode too."""

    def __init__(self):
        super().__init__()
        self.inner = Linear(3, SHAPE)
        self.register_buffer("passes", torch.zeros(()))

    def forward(self, x):
        self.passes += 1
        return self.inner(x)


def test_a_network_that_changes_its_buffers_is_refused_and_its_modes_restored():
    network, images = Restless().train(), inner_images(5, SHAPE)
    with pytest.raises(RuntimeError, match="passes"):
        evaluate(network, images, torch.zeros(5, dtype=torch.int64), attack("fgsm"), [1.0])
    assert network.training


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": 255 * torch.ones(4, *SHAPE)}, "divide by 255"),
        ({"images": torch.full((4, *SHAPE), torch.nan)}, r"in \[0, 1\]"),
        ({"images": torch.ones(4, 4, 4)}, r"\(N, C, H, W\)"),
        ({"labels": torch.zeros(3, dtype=torch.int64)}, "one for each"),
        ({"labels": torch.zeros(4)}, "int64"),
        ({"epsilons": []}, "numbers from 0"),
        ({"epsilons": [-1.0]}, "numbers from 0"),
        ({"epsilons": [torch.nan]}, "numbers from 0"),
        ({"mode": "quick"}, "there are record"),
        ({"batch_size": 0}, "at least 1"),
    ],
)
def test_bad_input_is_named(change, message):
    given = {
        "images": inner_images(4, SHAPE), "labels": torch.zeros(4, dtype=torch.int64),
        "epsilons": [1.0], **change,
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        evaluate(Linear(3, SHAPE), attack=attack("fgsm"), **given)


def test_unknown_attacks_norms_and_settings_are_named():
    with pytest.raises(ValueError, match="unknown attack 'fgsn'; there are fgsm"):
        make("fgsn")
    with pytest.raises(ValueError, match="unknown norm 'L1'; there are Linf, L2"):
        make("pgd", "L1")
    with pytest.raises(ValueError, match="has no setting 'step'; it has steps"):
        make("pgd", step=1)


def test_too_few_classes_for_a_loss_are_named():
    network, images = Linear(2, SHAPE), inner_images(4, SHAPE)
    labels = network(images).argmax(1)
    for name, classes in (("apgd-dlr", 3), ("apgd-t", 4)):
        with pytest.raises(ValueError, match=f"DLR loss compares {classes} logits"):
            evaluate(network, images, labels, make(name), [1.0])


@dataclass(frozen=True)
class Fake(Attack):
    """Proposes what its ``trick`` says."""

    trick: str = "far"
    name: ClassVar[str] = "fake"
    attacks_misclassified: ClassVar[bool] = True

    def propose(self, batch, epsilon, stop_early):
        images, labels = batch.images, batch.labels
        if self.trick == "raise":
            raise ArithmeticError("in the middle of an attack")
        if self.trick == "far":
            return images + 5 * epsilon
        if self.trick == "outside the box":  # inside the ball
            change = torch.zeros_like(images)
            change[:, 0, 0, 0] = 0.75 * epsilon
            return images - change
        if self.trick in ("nan", "inf"):
            return images + float(self.trick) * (labels == labels[0]).view(-1, 1, 1, 1)
        return images.flip(0)  # another image of the batch


@norms
@pytest.mark.parametrize("trick", ["far", "outside the box", "swap"])
def test_the_judge_cuts_what_leaves_the_budget(trick, norm):
    network, images = Linear(3, SHAPE), inner_images(6, SHAPE)
    images[:, 0, 0, 0] = 0
    labels = network(images).argmax(1)
    result = evaluate(network, images, labels, Fake(norm, trick), [4.0])
    (level,) = result.levels
    assert level.counts["outside"] == 6
    assert (ball(norm, images, 0).size(level.images - images) <= 4 / 255 + 1e-6).all()
    assert level.images.min() >= 0
    # The verdict is that of the cut images, whatever the proposals were.
    assert torch.equal(level.robust, network(level.images).argmax(1) == labels)
    assert any("left the ball" in text for text in result.warnings)


@pytest.mark.parametrize("trick", ["nan", "inf"])
def test_the_judge_drops_what_is_not_finite(trick):
    network, images = Linear(3, SHAPE), inner_images(6, SHAPE)
    result = evaluate(network, images, network(images).argmax(1), Fake("Linf", trick), [4.0])
    (level,) = result.levels
    assert level.counts["not finite"] == 6
    assert torch.equal(level.images, images)
    assert level.robust.all()


def test_an_image_wrong_when_clean_never_counts_as_robust():
    network, images = Linear(2, SHAPE), inner_images(40, SHAPE)
    with torch.no_grad():  # half of the images in each class
        logits = network(images)
        network.bias[1] += (logits[:, 0] - logits[:, 1]).median()
    right = network(images).argmax(1)
    order = right.argsort()  # zeros first, ones last: flipped, the classes change places
    images, labels = images[order], 1 - right[order]
    count = int(2 * min(right.sum(), 40 - right.sum()))
    assert count
    result = evaluate(network, images, labels, Fake("Linf", "swap"), [255.0])
    (level,) = result.levels
    assert not level.robust.any()
    assert not result.correct.any()
    assert torch.equal(level.prediction, 1 - labels)
    assert level.counts["returned"] == count
    assert any("40 of 40 clean images are misclassified" in text for text in result.warnings)
