"""A run of Auto-PGD on images side by side, each at a step of its own: algorithm 1.

Croce and Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse
parameter-free attacks", ICML 2020. Each image has its own step size, halved at checkpoints
where its loss no longer improves; it then returns to its best point.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from evaluation.attacks.base import put
from evaluation.attacks.norms import Ball
from evaluation.attacks.per_image import PerImage

__all__ = ["Run", "checkpoints", "intervals"]

MOMENTUM = 0.75  # α: the share of the new step against the one before
RHO = 0.75  # a checkpoint halves the step if fewer than this share of steps improved


def checkpoints(steps: int) -> dict[int, int]:
    """Return the iterations at which step sizes are checked, each with the steps since the last.

    The first interval has 22 % of the steps; each next one is shorter by 3 %, to no less
    than 6 %, rounded down to whole steps and to at least one.
    """
    interval, shrink, least = (max(int(share * steps), 1) for share in (0.22, 0.03, 0.06))
    found, step = {}, interval
    while step <= steps:
        found[step] = interval
        interval = max(interval - shrink, least)
        step += interval
    return found


def intervals(steps: int) -> Tensor:
    """Return for 0 to ``steps + 1`` gradients so far the steps of a check due then, or 0."""
    due = torch.zeros(steps + 2)
    for step, interval in checkpoints(steps).items():
        due[step + 1] = interval  # the first gradient is that of the start
    return due


@dataclass
class Run(PerImage):
    """The state of the algorithm.

    Attributes:
        around: the balls that the images stay in.
        done: (n,) gradients so far: 0 at a start that has not been looked at.
        current: (n, C, H, W).
        before: the image before it.
        best: the image of the largest loss.
        gradient: at `current`.
        best_gradient: at `best`.
        last_loss: (n,) at `current`.
        best_loss: (n,) at `best`.
        checked_loss: (n,) the best of the last checkpoint.
        step: (n, 1, 1, 1).
        improved: (n,) steps since the checkpoint that raised the loss.
        halved: (n,) bool: whether the last checkpoint halved the step.
    """

    around: Ball
    done: Tensor
    current: Tensor
    before: Tensor
    best: Tensor
    gradient: Tensor
    best_gradient: Tensor
    last_loss: Tensor
    best_loss: Tensor
    checked_loss: Tensor
    step: Tensor
    improved: Tensor
    halved: Tensor

    @staticmethod
    def start(around: Ball, points: Tensor) -> "Run":
        """Return runs that are about to look at their starting points (n, C, H, W)."""
        none = points.new_zeros(len(points))
        lowest = torch.full_like(none, -torch.inf)
        return Run(
            around, none.long(), points, points.clone(), points.clone(),
            torch.zeros_like(points), torch.zeros_like(points), lowest, lowest.clone(),
            lowest.clone(), 2 * around.radius, none, torch.ones_like(none, dtype=torch.bool),
        )  # fmt: skip

    def move(self) -> None:
        """Go from `current` to the next iterate; who has not been looked at stays."""
        waiting, unmoved = self.done == 0, self.done <= 1
        if waiting.all():
            return
        around = self.around
        direction = around.steepest(self.gradient)
        moved = around.project(torch.addcmul(self.current, self.step, direction))
        if not unmoved.all():
            first = moved[unmoved]  # without momentum
            # z + (1 − α)(2 x − x_before − z), in as few passes over the pixels as possible
            moved = moved.mul_(MOMENTUM).add_(self.current, alpha=2 * (1 - MOMENTUM))
            moved = around.project(moved.sub_(self.before, alpha=1 - MOMENTUM))
            put(moved, unmoved, first)
        put(moved, waiting, self.current[waiting])
        self.before, self.current = self.current, moved

    def note(self, losses: Tensor, gradient: Tensor) -> None:
        """Take in the losses (n,) and gradients (n, C, H, W) at `current`."""
        first = self.done == 0
        self.improved += (losses > self.last_loss) & ~first
        self.last_loss, self.gradient = losses, gradient
        better = losses > self.best_loss
        put(self.best, better, self.current[better])
        put(self.best_gradient, better, gradient[better])
        self.best_loss = torch.maximum(losses, self.best_loss)
        self.checked_loss = torch.where(first, losses, self.checked_loss)
        self.done = self.done + 1

    def check(self, interval: Tensor) -> None:
        """Halve step sizes where a check is due: after so many steps (n,), 0 for not now."""
        due = interval > 0
        if not due.any():
            return
        stuck = (self.best_loss <= self.checked_loss) & ~self.halved
        halve = due & ((self.improved <= RHO * interval) | stuck)
        self.step[halve] /= 2
        put(self.current, halve, self.best[halve])
        put(self.gradient, halve, self.best_gradient[halve])
        self.halved = torch.where(due, halve, self.halved)
        self.checked_loss = torch.where(due, self.best_loss, self.checked_loss)
        self.improved = torch.where(due, 0, self.improved)
