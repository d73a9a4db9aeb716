"""Square Attack: random search along squares, which asks the network for logits only.

Andriushchenko, Croce, Flammarion and Hein, "Square Attack: a query-efficient black-box
adversarial attack via random search", ECCV 2020, algorithm 1. Every image has its own
random squares, and is finished as soon as it is misclassified.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from evaluation.attacks.base import put
from evaluation.attacks.examples import Examples
from evaluation.attacks.losses import margin
from evaluation.attacks.norms import Ball
from evaluation.attacks.search import Pairs, Search, SearchAttack
from evaluation.attacks.settings import count, number
from evaluation.attacks.square_moves import MOVES

__all__ = ["Square", "share_of_pixels"]

BLOCK = 250  # queries whose random numbers are drawn at once
# The area of a square is halved after so many queries, of a budget of 10,000.
HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)


def share_of_pixels(p_init: float, query: int) -> float:
    """Return the share of the pixels that a query's square covers; queries count from 0.

    The schedule is the paper's for 10,000 queries; as in AutoAttack, a smaller budget does
    not compress it.
    """
    return p_init / 2 ** sum(query > halving for halving in HALVINGS)


@dataclass(frozen=True)
class Square(SearchAttack):
    """Square Attack on the margin of the logits, untargeted.

    The first misclassified image of the search is proposed, else that of the least margin.

    Attributes:
        queries: at most so many for an image, after the first.
        p_init: the share of the pixels that the first squares cover.
    """

    queries: int = count(5000)
    p_init: float = number(0.8, largest=1)

    name: ClassVar[str] = "square"

    def search(self, batch: Examples, epsilons: Sequence[float], stop_early: bool) -> Search:
        """Return the random search; an image is finished once misclassified, asked or not."""
        return _Squares(self, batch, epsilons)


@dataclass
class _State(Pairs):
    labels: Tensor  # (n,)
    around: Ball
    best: Tensor  # (n, C, H, W), the image of the smallest margin so far
    margin: Tensor  # (n,)
    asked: Tensor  # (n,) queries so far; the first is of the start
    numbers: Tensor  # (n, BLOCK, ·), uniform, of the queries to come


class _Squares(Search[_State]):
    """Random search for each pair of an image and an ε."""

    def __init__(self, attack: Square, batch: Examples, epsilons: Sequence[float]) -> None:
        super().__init__(attack.norm, batch, epsilons)
        self.queries, self.moves = attack.queries, MOVES[attack.norm]
        shares = [share_of_pixels(attack.p_init, query) for query in range(attack.queries)]
        sides = [self.moves.side(share, *batch.images.shape[2:]) for share in shares]
        # The first query is of the start, which has no square.
        self.sides = torch.tensor([0, *sides], device=batch.images.device)

    def start(self, pairs: Tensor) -> _State:
        batch, around = self.batch.take(self.rows(pairs)), self.balls(pairs)
        best = batch.victim.arrange(self.moves.start(around, batch.draws))
        margins = torch.full_like(best[:, 0, 0, 0], torch.inf)
        # As they are drawn: images in float64 get the moves of those in float32.
        size = (len(pairs), BLOCK, self.moves.numbers(best.shape[1]))
        numbers = torch.empty(size, dtype=torch.float32, device=best.device)
        asked = torch.zeros_like(pairs)
        return _State(pairs, batch.labels, around, best, margins, asked, numbers)

    def advance(self, state: _State) -> Tensor:
        self._draw(state)
        tried = state.best.clone()
        every = torch.arange(len(tried), device=tried.device)
        numbers = state.numbers[every, (state.asked - 1) % BLOCK]
        self.moves.change(state.around, tried, numbers, self.sides[state.asked])
        margins = margin(self.batch.victim.logits(tried), state.labels)
        better = ~(margins >= state.margin)
        put(state.best, better, tried[better])
        state.margin = torch.minimum(margins, state.margin)
        state.asked = state.asked + 1
        fallen = state.margin <= 0
        ended = fallen | (state.asked > self.queries)
        if ended.any():
            self.propose(state.pair[ended], state.best[ended], fallen[ended])
        return ended

    def _draw(self, state: _State) -> None:
        due = (state.asked > 0) & ((state.asked - 1) % BLOCK == 0)
        for query in (state.asked[due] - 1).unique().tolist():
            rows = (state.asked == query + 1).nonzero()[:, 0]
            draws = self.batch.draws.take(self.rows(state.pair[rows]))
            put(state.numbers, rows, draws.uniform(state.numbers.shape[1:], "queries", query))
