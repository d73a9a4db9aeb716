"""Auto-PGD: projected gradient ascent that sets its own step sizes; its losses and restarts.

Croce and Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse
parameter-free attacks", ICML 2020. The algorithm itself is in `evaluation.attacks.apgd_run`.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from evaluation.attacks.apgd_run import Run, intervals
from evaluation.attacks.base import put, targets_note
from evaluation.attacks.examples import Examples
from evaluation.attacks.losses import cross_entropy, dlr, targeted_dlr
from evaluation.attacks.norms import Ball
from evaluation.attacks.search import Pairs, Search, SearchAttack
from evaluation.attacks.settings import count
from evaluation.attacks.victim import Loss, Victim

__all__ = ["APGD", "APGDCE", "APGDDLR", "APGDT"]


@dataclass(frozen=True)
class APGD(SearchAttack):
    """What the APGD attacks share; the subclass chooses the loss.

    A misclassified image is proposed: the last iterate, or the first, if it stops there. What
    no run breaks is proposed as it was.

    Attributes:
        steps: gradient steps of a restart.
        restarts: runs from new random starts, for images that are not broken yet.
    """

    steps: int = count(100)
    restarts: int = count(1)

    @abstractmethod
    def targets(self, victim: Victim, images: Tensor) -> Tensor:
        """Return the classes that a targeted loss aims at, one after the other, (n, T)."""

    @abstractmethod
    def loss(self, targets: Tensor) -> Loss:
        """Return the loss to be raised, for targets (n,)."""

    def word(self, rank: int) -> str:
        """Return what tells the random starts for target number ``rank`` from others."""
        return f"target {rank + 1}"

    def search(self, batch: Examples, epsilons: Sequence[float], stop_early: bool) -> Search:
        """Return the search: a run for each target and restart, until one breaks the image."""
        return _Runs(self, batch, epsilons, stop_early)


@dataclass
class _State(Pairs):
    labels: Tensor  # (n,)
    targets: Tensor  # (n, T)
    number: Tensor  # (n,) of the run, T · restarts in all
    run: Run


class _Runs(Search[_State]):
    """Runs of APGD, one after the other for each pair of an image and an ε."""

    def __init__(
        self, attack: APGD, batch: Examples, epsilons: Sequence[float], stop_early: bool
    ) -> None:
        super().__init__(attack.norm, batch, epsilons)
        self.attack, self.stop_early = attack, stop_early
        self.intervals = intervals(attack.steps).to(batch.images)

    def start(self, pairs: Tensor) -> _State:
        rows, around = self.rows(pairs), self.balls(pairs)
        targets = self.attack.targets(self.batch.victim, self.batch.images[rows])
        numbers = torch.zeros_like(pairs)
        run = Run.start(around, self._points(around, rows, numbers))
        return _State(pairs, self.batch.labels[rows], targets, numbers, run)

    def advance(self, state: _State) -> Tensor:
        run = state.run
        run.check(self.intervals[run.done])
        run.move()
        rank = state.number // self.attack.restarts
        loss = self.attack.loss(state.targets.gather(1, rank[:, None])[:, 0])
        logits, losses, gradient = self.batch.victim.gradient(run.current, state.labels, loss)
        run.note(losses, gradient)
        wrong = logits.argmax(1) != state.labels
        if wrong.any():
            self.propose(state.pair[wrong], run.current[wrong], True)
        over, broken = run.done > self.attack.steps, self.broken[state.pair]
        more = state.number + 1 < state.targets.shape[1] * self.attack.restarts
        again = over & more & ~broken
        if again.any():
            self._restart(state, again)
        return (over | broken if self.stop_early else over) & ~again

    def _restart(self, state: _State, again: Tensor) -> None:
        put(state.number, again, state.number[again] + 1)
        around = state.run.around.take(again)
        points = self._points(around, self.rows(state.pair[again]), state.number[again])
        state.run.write(again.nonzero()[:, 0], Run.start(around, points))

    def _points(self, around: Ball, rows: Tensor, numbers: Tensor) -> Tensor:
        """Return where runs start, (n, C, H, W)."""
        points = torch.empty_like(around.center)
        for number in numbers.unique().tolist():
            rank, restart = divmod(number, self.attack.restarts)
            chosen = numbers == number
            draws = self.batch.draws.take(rows[chosen]).keyed(self.attack.word(rank), restart)
            points[chosen] = around.take(chosen).random(draws, "start")
        return self.batch.victim.arrange(points)


class APGDCE(APGD):
    """APGD on the cross-entropy, untargeted."""

    name: ClassVar[str] = "apgd-ce"

    def targets(self, victim: Victim, images: Tensor) -> Tensor:
        """Return one class for each image, which means nothing."""
        return torch.zeros(len(images), 1, dtype=torch.long, device=images.device)

    def word(self, rank: int) -> str:
        """Return the same word always."""
        return "untargeted"

    def loss(self, targets: Tensor) -> Loss:
        """Return the cross-entropy."""
        return cross_entropy


class APGDDLR(APGDCE):
    """APGD on the difference of logits ratio, untargeted."""

    name: ClassVar[str] = "apgd-dlr"
    least_classes: ClassVar[int] = 3
    too_few: ClassVar[str] = ": the DLR loss compares 3 logits; take apgd-ce instead"

    def loss(self, targets: Tensor) -> Loss:
        """Return the DLR loss."""
        return dlr


@dataclass(frozen=True)
class APGDT(APGD):
    """APGD on the targeted DLR loss, for each of the most likely wrong classes in turn.

    Attributes:
        target_classes: how many; there are at most K − 1.
    """

    target_classes: int = count(9)

    name: ClassVar[str] = "apgd-t"
    least_classes: ClassVar[int] = 4
    too_few: ClassVar[str] = ": the targeted DLR loss compares 4 logits; take apgd-ce instead"

    def notes(self, classes: int) -> list[str]:
        """Return that fewer targets are used than were asked for, if so."""
        return super().notes(classes) + targets_note(self.name, self.target_classes, classes)

    def targets(self, victim: Victim, images: Tensor) -> Tensor:
        """Return the classes by their logits at the clean image, the second largest first."""
        return torch.stack(list(victim.wrong_classes(images, self.target_classes)), 1)

    def loss(self, targets: Tensor) -> Loss:
        """Return the targeted DLR loss."""
        return targeted_dlr(targets)
