"""Auto-PGD: projected gradient ascent that sets its own step sizes.

Croce and Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse
parameter-free attacks", ICML 2020, algorithm 1. Each image has its own step size, halved
at checkpoints where its loss no longer improves; it then returns to its best point.
"""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from evaluation.attacks.base import Attack, put
from evaluation.attacks.draws import Draws
from evaluation.attacks.losses import cross_entropy, dlr, targeted_dlr
from evaluation.attacks.norms import Ball, ball
from evaluation.attacks.per_image import PerImage
from evaluation.attacks.victim import Loss, Victim

__all__ = ["APGD", "APGDCE", "APGDDLR", "APGDT", "checkpoints"]

MOMENTUM = 0.75  # α: the share of the new step against the one before
RHO = 0.75  # a checkpoint halves the step if fewer than this share of steps improved


def checkpoints(steps: int) -> dict[int, int]:
    """Return the iterations at which step sizes are checked, each with the steps since the last.

    The first interval has 22 % of the steps; each next one is shorter by 3 %, to no less
    than 6 %, rounded down to whole steps and to at least one.
    """
    interval, shrink, least = (max(int(share * steps), 1) for share in (0.22, 0.03, 0.06))
    marks, mark = {}, interval
    while mark <= steps:
        marks[mark] = interval
        interval = max(interval - shrink, least)
        mark += interval
    return marks


@dataclass
class _State(PerImage):
    row: Tensor  # (n,) where in the batch the image stands
    labels: Tensor  # (n,)
    targets: Tensor  # (n,) the class that a targeted loss aims at
    wrong: Tensor  # (n,) bool: whether `current` is misclassified
    around: Ball
    current: Tensor  # (n, C, H, W), and the two before it and of the largest loss
    before: Tensor
    best: Tensor
    gradient: Tensor  # at `current`, and at `best`
    best_gradient: Tensor
    last_loss: Tensor  # (n,) at `current`, `best`, and the best of the last checkpoint
    best_loss: Tensor
    checked_loss: Tensor
    step: Tensor  # (n, 1, 1, 1)
    improved: Tensor  # (n,) steps since the checkpoint that raised the loss
    halved: Tensor  # (n,) bool: whether the last checkpoint halved the step


@dataclass(frozen=True)
class APGD(Attack):
    """What the APGD attacks share; the subclass chooses the loss.

    Attributes:
        steps: gradient steps of a restart.
        restarts: runs from new random starts, for images that are not broken yet.
    """

    steps: int = 100
    restarts: int = 1

    @abstractmethod
    def rounds(self, victim: Victim, images: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Yield the name of each run and, for targeted losses, the targets (N,)."""

    @abstractmethod
    def loss(self, targets: Tensor) -> Loss:
        """Return the loss to be raised."""

    def propose(
        self,
        victim: Victim,
        images: Tensor,
        labels: Tensor,
        epsilon: float,
        draws: Draws,
        stop_early: bool,
    ) -> Tensor:
        """Return the last misclassified iterate (the first, if stopped), else the image."""
        result = images.clone()
        left = torch.arange(len(images), device=images.device)
        for name, targets in self.rounds(victim, images):
            for restart in range(self.restarts):
                if not len(left):
                    return result
                found, broken = self._run(
                    victim, images[left], labels[left], targets[left], epsilon,
                    draws.take(left).keyed(name, restart), stop_early,
                )  # fmt: skip
                put(result, left[broken], found[broken])
                left = left[~broken]
        return result

    def _run(
        self, victim: Victim, images: Tensor, labels: Tensor, targets: Tensor, epsilon: float,
        draws: Draws, stop_early: bool,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        around = ball(self.norm, images, epsilon)
        found = images.clone()
        hit = torch.zeros(len(images), dtype=torch.bool, device=images.device)

        def note(state: _State) -> _State:
            if not state.wrong.any():
                return state
            put(found, state.row[state.wrong], state.current[state.wrong])
            hit[state.row[state.wrong]] = True
            return state.take(~state.wrong) if stop_early else state

        state = note(self._start(victim, around, labels, targets, epsilon, draws))
        marks = checkpoints(self.steps)
        for step in range(1, self.steps + 1):
            if not len(state.row):
                break
            self._advance(victim, state, first=step == 1)
            state = note(state)
            if step in marks:
                _check(state, marks[step])
        return found, hit

    def _start(
        self, victim: Victim, around: Ball, labels: Tensor, targets: Tensor, epsilon: float,
        draws: Draws,
    ) -> _State:  # fmt: skip
        start = victim.arrange(around.random(draws, "start"))
        logits, losses, gradient = victim.gradient(start, labels, self.loss(targets))
        count = len(labels)
        return _State(
            torch.arange(count, device=labels.device), labels, targets,
            logits.argmax(1) != labels, around, start, start, start.clone(), gradient,
            gradient.clone(), losses, losses.clone(), losses.clone(),
            torch.full_like(around.radius, 2 * epsilon), torch.zeros_like(losses),
            torch.ones_like(labels, dtype=torch.bool),
        )  # fmt: skip

    def _advance(self, victim: Victim, state: _State, first: bool) -> None:
        around = state.around
        direction = around.steepest(state.gradient)
        moved = around.project(torch.addcmul(state.current, state.step, direction))
        if not first:
            # z + (1 − α)(2 x − x_before − z), in as few passes over the pixels as possible
            moved = moved.mul_(MOMENTUM).add_(state.current, alpha=2 * (1 - MOMENTUM))
            moved = around.project(moved.sub_(state.before, alpha=1 - MOMENTUM))
        state.before, state.current = state.current, moved
        logits, losses, state.gradient = victim.gradient(
            state.current, state.labels, self.loss(state.targets)
        )
        state.improved += losses > state.last_loss
        state.last_loss = losses
        better = losses > state.best_loss
        put(state.best, better, state.current[better])
        put(state.best_gradient, better, state.gradient[better])
        state.best_loss = torch.maximum(losses, state.best_loss)
        state.wrong = logits.argmax(1) != state.labels


def _check(state: _State, interval: int) -> None:
    stuck = (state.best_loss <= state.checked_loss) & ~state.halved
    halve = (state.improved <= RHO * interval) | stuck
    state.step[halve] /= 2
    put(state.current, halve, state.best[halve])
    put(state.gradient, halve, state.best_gradient[halve])
    state.halved, state.checked_loss = halve, state.best_loss.clone()
    state.improved = torch.zeros_like(state.improved)


class APGDCE(APGD):
    """APGD on the cross-entropy, untargeted."""

    name: ClassVar[str] = "apgd-ce"

    def rounds(self, victim: Victim, images: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Yield one round; its targets mean nothing."""
        yield "untargeted", torch.zeros(len(images), dtype=torch.long, device=images.device)

    def loss(self, targets: Tensor) -> Loss:
        """Return the cross-entropy."""
        return cross_entropy


class APGDDLR(APGDCE):
    """APGD on the difference of logits ratio, untargeted."""

    name: ClassVar[str] = "apgd-dlr"

    def loss(self, targets: Tensor) -> Loss:
        """Return the DLR loss."""
        return dlr


@dataclass(frozen=True)
class APGDT(APGD):
    """APGD on the targeted DLR loss, for each of the most likely wrong classes in turn.

    Attributes:
        target_classes: how many; there are at most K − 1.
    """

    target_classes: int = 9

    name: ClassVar[str] = "apgd-t"

    def rounds(self, victim: Victim, images: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Yield the classes by their logits at the clean image, the second largest first."""
        for rank, targets in enumerate(victim.wrong_classes(images, self.target_classes), 1):
            yield f"target {rank}", targets

    def loss(self, targets: Tensor) -> Loss:
        """Return the targeted DLR loss."""
        return targeted_dlr(targets)
