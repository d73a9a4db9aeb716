"""Square Attack: random search along squares, which asks the network for logits only.

Andriushchenko, Croce, Flammarion and Hein, "Square Attack: a query-efficient black-box
adversarial attack via random search", ECCV 2020, algorithm 1. Every image has its own
random squares, and is finished as soon as it is misclassified.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from evaluation.attacks.base import Attack, put
from evaluation.attacks.draws import Draws
from evaluation.attacks.losses import margin
from evaluation.attacks.norms import Ball, ball
from evaluation.attacks.per_image import PerImage
from evaluation.attacks.square_moves import MOVES
from evaluation.attacks.victim import Victim

__all__ = ["Square", "share_of_pixels"]

BLOCK = 250  # queries whose random numbers are drawn at once
# The area of a square is halved after so many queries, of a budget of 10,000.
HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)


def share_of_pixels(p_init: float, query: int) -> float:
    """Return the share of the pixels that a query's square covers; queries count from 0.

    The schedule is the paper's for 10,000 queries; as in AutoAttack, a smaller budget does
    not compress it.
    """
    return p_init / 2 ** sum(query > mark for mark in HALVINGS)


@dataclass
class _State(PerImage):
    row: Tensor  # (n,) where in the batch the image stands
    labels: Tensor  # (n,)
    around: Ball
    best: Tensor  # (n, C, H, W), the image of the smallest margin so far
    margin: Tensor  # (n,)
    draws: Draws
    numbers: Tensor  # (n, BLOCK, ·), uniform, of the queries to come


@dataclass(frozen=True)
class Square(Attack):
    """Square Attack on the margin of the logits, untargeted.

    Attributes:
        queries: at most so many for an image, after the first.
        p_init: the share of the pixels that the first squares cover.
    """

    queries: int = 5000
    p_init: float = 0.8

    name: ClassVar[str] = "square"
    uses_gradients: ClassVar[bool] = False

    def propose(
        self,
        victim: Victim,
        images: Tensor,
        labels: Tensor,
        epsilon: float,
        draws: Draws,
        stop_early: bool,
    ) -> Tensor:
        """Return the first misclassified image of the search, else that of the least margin."""
        around, moves = ball(self.norm, images, epsilon), MOVES[self.norm]
        best = victim.arrange(moves.start(around, draws))
        result = best.clone()
        rows = torch.arange(len(images), device=images.device)
        margins = margin(victim.logits(best), labels)
        state = _State(rows, labels, around, best, margins, draws, margins[:, None])
        state = _leave(state, result)
        for query in range(self.queries):
            if not len(state.row):
                break
            if query % BLOCK == 0:
                shape = (BLOCK, moves.numbers(images.shape[1]))
                state.numbers = state.draws.uniform(shape, "queries", query)
            share = share_of_pixels(self.p_init, query)
            numbers = state.numbers[:, query % BLOCK]
            state.best, undo = moves.change(state.around, state.best, numbers, share)
            _keep_better(victim, state, undo)
            state = _leave(state, result)
        put(result, state.row, state.best)
        return result


def _keep_better(victim: Victim, state: _State, undo: Callable[[Tensor], None]) -> None:
    margins = margin(victim.logits(state.best), state.labels)
    undo(margins >= state.margin)
    state.margin = torch.minimum(margins, state.margin)


def _leave(state: _State, result: Tensor) -> _State:
    fallen = state.margin <= 0
    if not fallen.any():
        return state
    put(result, state.row[fallen], state.best[fallen])
    return state.take(~fallen)
