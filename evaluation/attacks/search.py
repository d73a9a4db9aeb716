"""Attacks that go forward step by step, each image at an ε and a step of its own.

An image can then start, or go on to another ε, beside others that are in the middle of
theirs: batches stay full while images come and go.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

from evaluation.attacks.base import Attack, put
from evaluation.attacks.examples import Examples
from evaluation.attacks.norms import Ball, ball
from evaluation.attacks.per_image import PerImage

__all__ = ["Pairs", "Search", "SearchAttack"]


@dataclass
class Pairs(PerImage):
    """The state of pairs of an image and an ε that are attacked side by side.

    Attributes:
        pair: (n,) their numbers.
    """

    pair: Tensor


S = TypeVar("S", bound=Pairs)


class Search(ABC, Generic[S]):
    """One attack on the pairs of N images and E budgets.

    Pair number p is of image p mod N at budget p div N. What is found for a pair depends on
    the pair alone, not on those beside it nor on when it is started.

    Attributes:
        batch: the clean images, (N, C, H, W), with what is needed to attack them.
        proposals: (E·N, C, H, W): of a pair that has ended its attacked image, before that the
            clean one.
        broken: (E·N,) bool: whether the victim misclassifies what is proposed.
    """

    def __init__(self, norm: str, batch: Examples, epsilons: Sequence[float]) -> None:
        self.norm, self.batch, images = norm, batch, batch.images
        self.radii = torch.tensor(epsilons, dtype=images.dtype, device=images.device)
        self.proposals = batch.victim.arrange(images.repeat(len(epsilons), 1, 1, 1))
        self.broken = torch.zeros(len(self.proposals), dtype=torch.bool, device=images.device)

    @abstractmethod
    def start(self, pairs: Tensor) -> S:
        """Return the state of pairs (n,) that are about to be attacked."""

    @abstractmethod
    def advance(self, state: S) -> Tensor:
        """Go one pass through the network forward, in place; return who has ended, (n,) bool.

        The proposals of those that have ended are in place.
        """

    def run(self) -> Tensor:
        """Attack every pair to its end and return the proposals, (E·N, C, H, W)."""
        state = self.start(torch.arange(len(self.proposals), device=self.proposals.device))
        while len(state):
            state = state.exchange(self.advance(state), None)
        return self.proposals

    def balls(self, pairs: Tensor) -> Ball:
        """Return the balls that pairs (n,) stay in."""
        radii = self.radii[pairs // len(self.batch)].view(-1, 1, 1, 1)
        return ball(self.norm, self.batch.images[self.rows(pairs)], radii)

    def rows(self, pairs: Tensor) -> Tensor:
        """Return the numbers of the images of pairs (n,)."""
        return pairs % len(self.batch)

    def propose(self, pairs: Tensor, images: Tensor, broken: Tensor | bool) -> None:
        """Note what is proposed for pairs (an index), and whether it is misclassified."""
        put(self.proposals, pairs, images)
        self.broken[pairs] = broken


@dataclass(frozen=True)
class SearchAttack(Attack):
    """An attack that is a search; the subclass says which."""

    @abstractmethod
    def search(self, batch: Examples, epsilons: Sequence[float], stop_early: bool) -> Search:
        """Return the search at several budgets, not begun; for the batch see `propose`."""

    def propose(self, batch: Examples, epsilon: float, stop_early: bool) -> Tensor:
        """Return what the search at this ε proposes in the end."""
        return self.search(batch, [epsilon], stop_early).run()
