"""Down an ε grid: each image on its own way, all side by side in one batch.

An image that breaks goes on to the next smaller ε at once, in the place that it had in the
batch, so that batches stay full to the end of the grid instead of running dry at each ε.
"""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from evaluation.attacks.outcome import Level
from evaluation.attacks.search import Search
from evaluation.attacks.victim import Victim

__all__ = ["Descent", "descend"]


@dataclass(frozen=True)
class Descent:
    """What was attacked on the way down, and what it cost.

    Attributes:
        attacked: (E, N) bool: the images that were attacked at each ε.
        proposals: (E, N, C, H, W): what is proposed for them.
        costs: (E, 3), float64: wall-clock seconds, gradients and queries, in images. A pass of
            the batch is charged to each ε by its share of the images in it.
    """

    attacked: Tensor
    proposals: Tensor
    costs: Tensor

    def charge(self, level: Level, number: int) -> None:
        """Add to the outcome at an ε, by its place in the grid, what the attack at it cost."""
        seconds, gradients, queries = self.costs[number].tolist()
        level.seconds += seconds
        level.gradients += round(gradients)
        level.queries += round(queries)


def descend(search: Search, first: Tensor, certain: Tensor) -> Descent:
    """Attack images from the largest ε down until they resist, no more than N at once.

    Args:
        search: at budgets that fall.
        first: (N,) bool, the images to be attacked at the largest ε.
        certain: (E, N) bool, of these images the ε at which they are attacked whatever happens
            at larger ones.
    """
    agenda, meter = _Agenda(first, certain), _Meter(search.batch.victim, *certain.shape)
    pairs = agenda.next(len(first))
    if len(pairs):
        with meter.charge(pairs):
            state = search.start(pairs)
        while len(state):
            with meter.charge(state.pair):
                gone = search.advance(state)
            ended = state.pair[gone]
            agenda.note(ended.tolist(), search.broken[ended].tolist())
            pairs, fresh = agenda.next(len(first) - len(state) + len(ended)), None
            if len(pairs):
                with meter.charge(pairs):
                    fresh = search.start(pairs)
            state = state.exchange(gone, fresh)
    return Descent(agenda.attacked(), search.proposals.unflatten(0, certain.shape), meter.costs)


class _Agenda:
    """Which pair of an image and an ε is attacked next; pairs are numbered as in a search."""

    def __init__(self, first: Tensor, certain: Tensor) -> None:
        self.certain = certain
        wanted = [*first.nonzero()[:, 0].tolist(), *certain.flatten().nonzero()[:, 0].tolist()]
        self.waiting = deque(dict.fromkeys(wanted))
        self.begun, self.fallen = set(wanted), set[int]()

    def next(self, room: int) -> Tensor:
        """Return the next pairs (n,), no more than there is room for."""
        pairs = [self.waiting.popleft() for _ in range(min(room, len(self.waiting)))]
        return torch.tensor(pairs, dtype=torch.long, device=self.certain.device)

    def note(self, pairs: Sequence[int], broken: Sequence[bool]) -> None:
        """Take in which pairs have ended, and let images that broke go on."""
        self.fallen.update(pair for pair, fell in zip(pairs, broken, strict=True) if fell)
        count = self.certain.shape[1]
        for image in {pair % count for pair in pairs}:
            pair = image
            while pair in self.fallen:
                pair += count
            if pair < self.certain.numel() and pair not in self.begun:
                self.begun.add(pair)
                self.waiting.appendleft(pair)

    def attacked(self) -> Tensor:
        """Return all pairs that were given out, (E, N) bool."""
        mask = torch.zeros_like(self.certain).flatten()
        mask[list(self.begun)] = True
        return mask.view_as(self.certain)


class _Meter:
    """Adds up what each ε has cost."""

    def __init__(self, victim: Victim, levels: int, count: int) -> None:
        self.victim, self.count = victim, count
        self.costs = torch.zeros(levels, 3, dtype=torch.float64)

    @contextmanager
    def charge(self, pairs: Tensor) -> Iterator[None]:
        """Charge what the block costs to the ε of pairs (n,), in equal parts."""
        before = self._now()
        yield
        counts = torch.bincount(pairs.cpu() // self.count, minlength=len(self.costs)).double()
        # Multiplied first: what was asked once for each image is charged to the last digit.
        self.costs += torch.outer(counts, self._now() - before) / len(pairs)

    def _now(self) -> Tensor:
        victim = self.victim
        now = (time.perf_counter(), victim.gradients, victim.queries)
        return torch.tensor(now, dtype=torch.float64)
