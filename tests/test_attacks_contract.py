"""What holds for every attack: an outcome is the image's own, and the network stays as it was."""

import random
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from evaluation.attacks import ATTACKS, evaluate, make
from evaluation.attacks.apgd import _check, _State, checkpoints
from evaluation.attacks.base import Attack
from evaluation.attacks.norms import ball
from evaluation.attacks.square import share_of_pixels
from tests.attack_networks import Linear, digits, digits_network, inner_images

SHORT = {
    "fgsm": {}, "pgd": {"steps": 4}, "apgd-ce": {"steps": 8}, "apgd-dlr": {"steps": 8},
    "apgd-t": {"steps": 6, "target_classes": 2}, "square": {"queries": 30},
    "fab-t": {"steps": 6, "target_classes": 2}, "autoattack": {"steps": 6, "queries": 20},
}  # fmt: skip
EPSILONS = {"Linf": [12.0, 30.0], "L2": [80.0, 200.0]}
every = pytest.mark.parametrize("name", list(ATTACKS))
norms = pytest.mark.parametrize("norm", ["Linf", "L2"])


def attack(name, norm="Linf"):
    return make(name, norm, **SHORT[name])


def same(first, second):
    return all(
        torch.equal(getattr(one, part), getattr(two, part))
        for one, two in zip(first, second, strict=True)
        for part in ("robust", "prediction", "label_confidence", "images")
    )


@every
@norms
@pytest.mark.parametrize("mode", ["record", "accuracy", "descending"])
def test_neighbours_and_batch_size_leave_no_trace(name, norm, mode):
    network, (images, labels) = digits_network(), digits(11)

    def run(rows, **options):
        return evaluate(
            network, images[rows], labels[rows], attack(name, norm), EPSILONS[norm], mode=mode,
            checks=False, **options,
        ).levels  # fmt: skip

    whole = run(torch.arange(11))
    for size in (1, 3):
        assert same(run(torch.arange(11), batch_size=size), whole)
    rows = torch.tensor([7, 2, 9])
    for part, level in zip(run(rows), whole, strict=True):
        assert torch.equal(part.images, level.images[rows])
        assert torch.equal(part.robust, level.robust[rows])


@every
@norms
def test_the_seed_decides_and_the_budget_holds(name, norm):
    network, (images, labels) = digits_network(), digits(24)
    runs = [
        evaluate(network, images, labels, attack(name, norm), EPSILONS[norm], seed=seed).levels
        for seed in (0, 0, 1)
    ]
    assert same(runs[0], runs[1])
    random_ones = name not in ("fgsm", "fab-t")
    assert same(runs[0], runs[2]) != random_ones
    for level in runs[0]:
        around = ball(norm, images, level.epsilon / 255)
        assert (around.size(level.images - images) <= level.epsilon / 255 + 1e-6).all()
        assert level.images.min() >= 0
        assert level.images.max() <= 1
        assert level.images.isfinite().all()


@every
def test_epsilon_zero_changes_nothing(name):
    network, (images, labels) = digits_network(), digits(12)
    (level,) = evaluate(network, images, labels, attack(name), [0.0]).levels
    assert torch.equal(level.images, images)
    assert torch.equal(level.robust, network(images).argmax(1) == labels)


@every
def test_network_and_random_state_are_left_as_they_were(name):
    network, (images, labels) = digits_network().train(), digits(6)
    network[1].stem.eval()
    state = {key: value.clone() for key, value in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    random.seed(0)
    numbers = np.random.get_state()[1].copy()  # noqa: NPY002
    before = (torch.get_rng_state(), numbers, random.getstate())
    evaluate(network, images, labels, attack(name), [12.0])
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002
    assert random.getstate() == before[2]
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in network.parameters())


class Restless(nn.Module):
    """Counts its passes in a buffer, in eval mode too."""

    def __init__(self):
        super().__init__()
        self.inner = Linear(3, (1, 4, 4))
        self.register_buffer("passes", torch.zeros(()))

    def forward(self, x):
        self.passes += 1
        return self.inner(x)


def test_a_network_that_changes_its_buffers_is_refused_and_its_modes_restored():
    network, images = Restless().train(), inner_images(5, (1, 4, 4))
    with pytest.raises(RuntimeError, match="passes"):
        evaluate(network, images, torch.zeros(5, dtype=torch.int64), attack("fgsm"), [1.0])
    assert network.training


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": 255 * torch.ones(4, 1, 4, 4)}, "divide by 255"),
        ({"images": torch.ones(4, 4, 4)}, r"\(N, C, H, W\)"),
        ({"labels": torch.zeros(3, dtype=torch.int64)}, "one for each"),
        ({"labels": torch.zeros(4)}, "int64"),
        ({"epsilons": []}, "numbers from 0"),
        ({"epsilons": [-1.0]}, "numbers from 0"),
        ({"mode": "quick"}, "there are record"),
        ({"batch_size": 0}, "at least 1"),
    ],
)
def test_bad_input_is_named(change, message):
    given = {
        "images": inner_images(4, (1, 4, 4)), "labels": torch.zeros(4, dtype=torch.int64),
        "epsilons": [1.0], **change,
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        evaluate(Linear(3, (1, 4, 4)), attack=attack("fgsm"), **given)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fgsn",), "unknown attack"), (("pgd", "L1"), "unknown norm"),
    ],
)  # fmt: skip
def test_unknown_attacks_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        make(*arguments)
    with pytest.raises(ValueError, match="has no setting"):
        make("pgd", step=1)


@dataclass(frozen=True)
class Fake(Attack):
    """Proposes what its ``trick`` says."""

    trick: str = "far"
    name: ClassVar[str] = "fake"
    attacks_misclassified: ClassVar[bool] = True

    def propose(self, victim, images, labels, epsilon, draws, stop_early):
        if self.trick == "far":
            return images + 5 * epsilon
        if self.trick == "outside the box":
            return images.clamp(0, 0) - epsilon / 2
        if self.trick == "nan":
            return images * torch.nan
        return images.flip(0)  # another image of the batch: right for the other label


@norms
@pytest.mark.parametrize("trick", ["far", "outside the box"])
def test_the_judge_cuts_what_leaves_the_budget(trick, norm):
    network, images = Linear(3, (1, 4, 4)), inner_images(6, (1, 4, 4))
    labels = network(images).argmax(1)
    result = evaluate(network, images, labels, Fake(norm, trick), [4.0])
    (level,) = result.levels
    assert level.counts["outside"] == 6
    assert (ball(norm, images, 4 / 255).size(level.images - images) <= 4 / 255 + 1e-6).all()
    assert any("left the ball" in text for text in result.warnings)


def test_the_judge_drops_what_is_not_finite():
    network, images = Linear(3, (1, 4, 4)), inner_images(6, (1, 4, 4))
    result = evaluate(network, images, network(images).argmax(1), Fake("Linf", "nan"), [4.0])
    (level,) = result.levels
    assert level.counts["not finite"] == 6
    assert torch.equal(level.images, images)
    assert level.robust.all()


def test_an_image_wrong_when_clean_never_counts_as_robust():
    network, images = Linear(2, (1, 4, 4)), inner_images(40, (1, 4, 4))
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
    assert level.counts["returned"] == count
    assert any("40 of 40 clean images are misclassified" in text for text in result.warnings)


def test_checkpoints_are_those_of_the_paper():
    assert list(checkpoints(100)) == [22, 41, 57, 70, 80, 87, 93, 99]
    assert list(checkpoints(100).values()) == [22, 19, 16, 13, 10, 7, 6, 6]


def test_a_checkpoint_halves_the_steps_of_stuck_images_and_returns_them_to_their_best():
    ones = torch.ones(4, 1, 1, 1)
    #          few rises | many rises | no new best, halved before | no new best, not halved before
    improved = torch.tensor([15.0, 16.0, 16.0, 16.0])
    state = _State(
        torch.arange(4), torch.zeros(4).long(), torch.zeros(4).long(), torch.zeros(4).bool(),
        ball("Linf", ones / 2, 0.1), 0.1 * ones, 0.2 * ones, 0.9 * ones, 0.3 * ones, 0.8 * ones,
        torch.zeros(4), torch.tensor([2.0, 2.0, 1.0, 1.0]), torch.ones(4), 0.4 * ones,
        improved, torch.tensor([False, False, True, False]),
    )  # fmt: skip
    _check(state, 20)
    assert state.halved.tolist() == [True, False, False, True]
    assert state.step.flatten().tolist() == pytest.approx([0.2, 0.4, 0.4, 0.2])
    assert state.current.flatten().tolist() == pytest.approx([0.9, 0.1, 0.1, 0.9])
    assert state.gradient.flatten().tolist() == pytest.approx([0.8, 0.3, 0.3, 0.8])
    assert state.improved.tolist() == [0, 0, 0, 0]


def test_squares_shrink_at_the_paper_s_queries():
    marks = [0, 10, 11, 50, 51, 200, 201, 500, 501, 1000, 1001, 2000, 2001, 4000, 4001, 4999]
    halvings = [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7]
    assert [share_of_pixels(0.8, q) for q in marks] == [0.8 / 2**h for h in halvings]
