"""FGSM and PGD: steps along the sign (ℓ∞) or the direction (ℓ2) of the gradient."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from evaluation.attacks.base import Attack, put
from evaluation.attacks.examples import Examples
from evaluation.attacks.losses import cross_entropy
from evaluation.attacks.norms import Ball, ball
from evaluation.attacks.per_image import PerImage
from evaluation.attacks.settings import count, flag, number

__all__ = ["FGSM", "PGD"]

DIVISORS = {"Linf": 16.0, "L2": 8.0}


@dataclass(frozen=True)
class FGSM(Attack):
    """One step of length ε from the clean image: x + ε sign(∇ₓ loss), cut to [0, 1].

    Goodfellow, Shlens and Szegedy, "Explaining and Harnessing Adversarial Examples",
    ICLR 2015, section 4. In ℓ2 the step goes along the gradient itself.
    """

    name: ClassVar[str] = "fgsm"
    nested: ClassVar[bool] = False
    iterative: ClassVar[bool] = False
    attacks_misclassified: ClassVar[bool] = True

    def propose(self, batch: Examples, epsilon: float, stop_early: bool) -> Tensor:
        """Return the images after the step, (N, C, H, W)."""
        return next(self.propose_grid(batch, [epsilon]))

    def propose_grid(self, batch: Examples, epsilons: Sequence[float]) -> Iterator[Tensor]:
        """Yield the images after the step of each length: they share one gradient."""
        images = batch.images
        _, _, gradient = batch.victim.gradient(images, batch.labels, cross_entropy)
        for epsilon in epsilons:
            around = ball(self.norm, images, epsilon)
            yield around.project(images + epsilon * around.steepest(gradient))


@dataclass
class _State(PerImage):
    row: Tensor  # where in the batch the image stands
    labels: Tensor
    around: Ball
    current: Tensor


@dataclass(frozen=True)
class PGD(Attack):
    """Projected gradient ascent from a random start.

    Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks",
    ICLR 2018, section 2.1.

    Attributes:
        steps: gradient steps.
        step_divisor: the step size is ε over this; 16 in ℓ∞ and 8 in ℓ2 if None. 30, a common
            default for 40 steps and the published data set's, cannot carry a pixel from one end
            of the ball to the other; 16 can, 1.25 times over. In ℓ2 a start on the far side
            turns towards the optimum by the step only, and 16 leaves 1.5 % to go.
        random_start: whether to start uniformly in the ball or at the image.
    """

    steps: int = count(40)
    step_divisor: float | None = number(None)
    random_start: bool = flag(True)

    name: ClassVar[str] = "pgd"
    attacks_misclassified: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.step_divisor is None:
            object.__setattr__(self, "step_divisor", DIVISORS[self.norm])

    def propose(self, batch: Examples, epsilon: float, stop_early: bool) -> Tensor:
        """Return the last iterate; of a stopped image the first that was misclassified."""
        victim, images = batch.victim, batch.images
        around = ball(self.norm, images, epsilon)
        start = victim.arrange(around.random(batch.draws, "start")) if self.random_start else images
        result = start.clone()
        rows = torch.arange(len(images), device=images.device)
        state = _State(rows, batch.labels, around, start)
        assert self.step_divisor is not None
        step = epsilon / self.step_divisor
        for _ in range(self.steps):
            if not len(state.row):
                break
            logits, _, gradient = victim.gradient(state.current, state.labels, cross_entropy)
            broken = logits.argmax(1) != state.labels
            if stop_early and broken.any():
                put(result, state.row[broken], state.current[broken])
                state, gradient = state.take(~broken), gradient[~broken]
            moved = state.current + step * state.around.steepest(gradient)
            state.current = state.around.project(moved)
        put(result, state.row, state.current)
        return result
