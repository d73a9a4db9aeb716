"""Down an ε grid side by side: the same outcomes, fuller batches, exact accounts."""

from dataclasses import dataclass, fields
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from evaluation.attacks import evaluate, make
from evaluation.attacks.apgd_run import Run
from evaluation.attacks.descent import descend
from evaluation.attacks.draws import Draws
from evaluation.attacks.examples import Examples
from evaluation.attacks.norms import LinfBall, ball
from evaluation.attacks.search import Pairs, Search, SearchAttack
from evaluation.attacks.square import share_of_pixels
from evaluation.attacks.square_moves import MOVES
from evaluation.attacks.victim import Victim
from tests.attack_networks import digits, digits_network, fresh_network
from tests.thorough import thorough

SETTINGS: dict[str, dict[str, Any]] = {
    "apgd-ce": {"steps": 12, "restarts": 2}, "apgd-dlr": {"steps": 9},
    "apgd-t": {"steps": 6, "restarts": 2, "target_classes": 3}, "square": {"queries": 260},
}  # fmt: skip
# Past the first sizes of squares; the whole grid's test goes past the first block of draws too.
FEWER = SETTINGS | {"square": {"queries": 60}}
GRID = {"Linf": [40.0, 24.0, 12.0, 4.0], "L2": [200.0, 120.0, 60.0, 20.0]}
COUNT = 24
searches = pytest.mark.parametrize("name", list(SETTINGS))
norms = pytest.mark.parametrize("norm", ["Linf", pytest.param("L2", marks=thorough)])


class Watched(Victim):
    """Remembers how many images each pass had."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.passes: list[int] = []

    def logits(self, images):
        self.passes.append(len(images))
        return super().logits(images)

    def gradient(self, images, labels, loss):
        self.passes.append(len(images))
        return super().gradient(images, labels, loss)


def searching(name, norm="Linf", **settings):
    attack = make(name, norm, **settings)
    assert isinstance(attack, SearchAttack)
    return attack


class Problem:
    """Digits, their network, and one attack on the grid."""

    def __init__(self, name, norm, count=COUNT, settings=FEWER):
        network, (images, labels) = digits_network(), digits(count)
        self.victim = Watched(network, images)
        draws = Draws.of(images, 0, name)
        self.batch = Examples(self.victim, self.victim.arrange(images), labels, draws)
        self.correct = network(images).argmax(1) == labels
        self.attack = searching(name, norm, **settings[name])
        self.radii = [epsilon / 255 for epsilon in GRID[norm]]

    def search(self):
        return self.attack.search(self.batch, self.radii, stop_early=True)

    def descend(self, certain=None):
        if certain is None:
            certain = torch.zeros(len(self.radii), len(self.batch), dtype=torch.bool)
        return descend(self.search(), self.correct, certain)

    def attack_some(self, rows, radius):
        return self.attack.propose(self.batch.take(rows), radius, True)

    def alone(self, row, radius):
        return self.attack_some(torch.tensor([row]), radius)[0]


@searches
@norms
def test_an_image_fares_as_if_it_were_attacked_alone_at_that_epsilon(name, norm):
    problem = Problem(name, norm, settings=SETTINGS)
    found = problem.descend()
    assert found.attacked[0].equal(problem.correct)
    assert problem.correct.sum() < found.attacked.sum() < 4 * problem.correct.sum()
    for level, row in found.attacked.nonzero().tolist()[::16]:
        alone = problem.alone(row, problem.radii[level])
        assert torch.equal(found.proposals[level, row], alone), (level, row)
        # It went down to here because it broke at the ε before.
        broke = not torch.equal(found.proposals[level - 1, row], problem.batch.images[row])
        assert level == 0 or (found.attacked[level - 1, row] and broke)


@searches
def test_what_is_certain_is_attacked_whatever_happens(name):
    problem = Problem(name, "Linf")
    down = problem.descend()
    certain = problem.correct & (torch.arange(4)[:, None] == 3)
    both = problem.descend(certain)
    assert both.attacked.equal(down.attacked | certain)
    assert (both.attacked & ~down.attacked).any()
    assert torch.equal(both.proposals[down.attacked], down.proposals[down.attacked])
    row = int((certain & ~down.attacked)[3].nonzero()[0])
    assert torch.equal(both.proposals[3, row], problem.alone(row, problem.radii[3]))


@searches
def test_each_epsilon_is_charged_what_its_images_asked(name):
    problem = Problem(name, "Linf")
    victim, found = problem.victim, problem.descend()
    assert found.costs[:, 1].sum() == victim.gradients
    assert found.costs[:, 2].sum() == victim.queries
    assert found.costs[:, 0].min() > 0
    for level, radius in enumerate(problem.radii):
        before = victim.gradients, victim.queries
        problem.attack_some(found.attacked[level], radius)
        spent = victim.gradients - before[0], victim.queries - before[1]
        assert tuple(found.costs[level, 1:].tolist()) == spent


@searches
def test_batches_stay_full_and_within_bounds(name):
    problem = Problem(name, "Linf", 60)
    certain = problem.correct & (
        torch.rand(4, 60, generator=torch.Generator().manual_seed(0)) < 0.5
    )
    problem.victim.passes.clear()
    found = problem.descend(certain)
    side_by_side = problem.victim.passes
    assert max(side_by_side) <= 60
    problem.victim.passes = []
    for level, radius in enumerate(problem.radii):
        problem.attack_some(found.attacked[level], radius)
    one_by_one = problem.victim.passes
    assert sum(side_by_side) == sum(one_by_one)
    settings = FEWER[name]
    runs = settings.get("restarts", 1) * settings.get("target_classes", 1)
    longest = runs * (settings.get("steps") or settings["queries"])
    # Targets are asked for in passes of their own.
    assert len([size for size in side_by_side if size > 20]) > 0.5 * longest
    if name != "apgd-t":
        assert len(side_by_side) < 0.8 * len(one_by_one)


def test_nothing_to_attack_costs_nothing():
    problem = Problem("square", "Linf")
    problem.correct[:] = False
    found = problem.descend()
    assert not found.attacked.any()
    assert not found.costs.any()


@dataclass
class State(Pairs):
    left: Tensor


class Modest(Search[State]):
    """Darkens images enough at every ε, and says that it broke none."""

    def start(self, pairs):
        return State(pairs, torch.full_like(pairs, 2))

    def advance(self, state):
        state.left = state.left - 1
        ended = state.left == 0
        images = self.batch.images[self.rows(state.pair[ended])]
        self.propose(state.pair[ended], torch.zeros_like(images), False)
        return ended


@dataclass(frozen=True)
class Underrated(SearchAttack):
    """An attack whose victim disagrees with the judge."""

    name: ClassVar[str] = "underrated"

    def search(self, batch, epsilons, stop_early):
        return Modest(self.norm, batch, epsilons)


class Brightness(nn.Module):
    """Class 1 if the mean pixel is above .5."""

    def forward(self, x):
        score = (x.flatten(1).mean(1) - 0.5) * 100
        return torch.stack([-score, score], 1)


def test_the_judge_decides_who_goes_down():
    images, labels = torch.full((6, 1, 4, 4), 0.6), torch.ones(6, dtype=torch.int64)
    levels = evaluate(
        Brightness(), images, labels, Underrated(), [255.0, 64.0, 32.0, 8.0], mode="descending",
        checks=False,
    ).levels  # fmt: skip
    assert [int(level.robust.sum()) for level in levels] == [0, 0, 0, 6]


def state(values):
    column = torch.tensor(values, dtype=torch.float32)
    points = column.view(-1, 1, 1, 1).expand(-1, 3, 2, 2).contiguous()
    run = Run.start(ball("Linf", points, torch.full((len(values), 1, 1, 1), 0.25)), points)
    run.done = column.long()
    return run


def content(run):
    """The images of a state, each of whose fields must tell the same."""
    values = run.done.tolist()
    around = state(values).around
    assert isinstance(around, LinfBall)
    for field in fields(run):
        part = getattr(run, field.name)
        if isinstance(part, LinfBall):
            assert torch.equal(part.center, around.center)
            assert torch.equal(part.upper, around.upper)
        else:
            assert torch.equal(part, getattr(state(values), field.name)), field.name
    return values


@pytest.mark.parametrize(
    ("gone", "fresh", "expected"),
    [
        ([], None, [0, 1, 2, 3]), ([1, 3], None, [0, 2]), ([1, 3], [7, 8], [0, 7, 2, 8]),
        ([0, 2, 3], [7], [7, 1]), ([2], [7, 8, 9], [0, 1, 7, 3, 8, 9]),
        ([], [7], [0, 1, 2, 3, 7]), ([0, 1, 2, 3], None, []),
    ],
)  # fmt: skip
def test_fresh_images_take_the_places_of_those_that_go(gone, fresh, expected):
    mask = torch.zeros(4, dtype=torch.bool)
    mask[gone] = True
    run = state([0, 1, 2, 3]).exchange(mask, None if fresh is None else state(fresh))
    assert content(run) == expected
    assert len(run) == len(expected)


def test_squares_of_several_sizes_share_a_batch():
    problem = Problem("square", "Linf")
    search = problem.search()
    first = search.start(torch.arange(3))
    for _ in range(12):
        search.advance(first)
    both = first.join(search.start(torch.arange(3, 5)))
    search.advance(both)
    expected = [search.moves.side(share_of_pixels(0.8, query), 8, 8) for query in (12, 0)]
    sides = []
    change = search.moves.change
    search.moves = SimpleNamespace(change=lambda *given: (sides.append(given[-1]), change(*given)))
    search.advance(both)
    assert both.asked.tolist() == [14, 14, 14, 2, 2]
    assert sides[0].tolist() == [*[expected[0]] * 3, *[expected[1]] * 2]


@pytest.mark.parametrize("norm", ["Linf", "L2"])
def test_squares_of_several_sizes_are_those_of_each_alone(norm):
    source = torch.Generator().manual_seed(3)
    images = torch.rand(6, 3, 9, 11, generator=source)
    centers = torch.rand(6, 3, 9, 11, generator=source)
    around = ball(norm, centers, torch.full((6, 1, 1, 1), 0.3))
    moves = MOVES[norm]
    numbers = torch.rand(6, moves.numbers(3), generator=source)
    sides = torch.tensor([5, 0, 3, 9, 3, 5])
    for layout in (torch.contiguous_format, torch.channels_last):
        together = images.clone(memory_format=layout)
        moves.change(around, together, numbers, sides)
        for row in range(6):
            alone, one = images[row : row + 1].clone(), torch.tensor([row])
            moves.change(around.take(one), alone, numbers[one], sides[one])
            torch.testing.assert_close(alone[0], together[row], rtol=0, atol=1e-6)
        assert torch.equal(together[1], images[1])
        if norm == "Linf":
            for row, side in enumerate(sides.tolist()):
                lower, upper = around.lower[row], around.upper[row]
                top, left = (numbers[row, :2] * torch.tensor([10 - side, 12 - side])).long()
                inside = torch.zeros(9, 11, dtype=torch.bool)
                inside[top : top + side, left : left + side] = True
                end = torch.where(numbers[row, 2:, None, None] < 0.5, lower, upper)
                expected = torch.where(inside, end, images[row])
                torch.testing.assert_close(together[row], expected, rtol=0, atol=1e-7)


def test_a_fresh_image_and_one_under_way_are_attacked_in_the_same_pass():
    network = fresh_network()
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    victim = Watched(network, images)
    attack = searching("apgd-ce", steps=4)
    labels = network(images).argmax(1)
    batch = Examples(victim, images, labels, Draws.of(images, 0))
    search = attack.search(batch, [1e-6], True)
    runs = search.start(torch.tensor([0]))
    search.advance(runs)
    runs = runs.join(search.start(torch.tensor([1])))
    assert not search.advance(runs).any()
    assert victim.passes == [1, 2]
    assert runs.run.done.tolist() == [2, 1]
