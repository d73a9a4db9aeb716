"""FAB, targeted: the smallest perturbation, by steps onto the linearised decision boundary.

Croce and Hein, "Minimally distorted adversarial examples with a fast adaptive boundary
attack", ICML 2020, algorithm 1, without random starts; targeted as in AutoAttack, one run for
each of the most likely wrong classes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from evaluation.attacks.base import Attack
from evaluation.attacks.draws import Draws
from evaluation.attacks.norms import BALLS
from evaluation.attacks.per_image import PerImage
from evaluation.attacks.projections import to_hyperplane
from evaluation.attacks.victim import Loss, Victim

__all__ = ["FABT"]

ALPHA_MAX = 0.1  # the largest share of the step that starts at the clean image
OVERSHOOT = 1.05  # η: how far beyond the linearised boundary a step goes
BACKWARD = 0.9  # β: how far an adversarial image stays from the clean one
LEAST = 1e-8


@dataclass
class _State(PerImage):
    row: Tensor  # (n,) where in the batch the image stands
    labels: Tensor
    order: Tensor  # (n, K), classes by the clean image's logits, the largest first
    clean: Tensor  # (n, C, H, W)
    current: Tensor


@dataclass(frozen=True)
class FABT(Attack):
    """Targeted FAB; the proposal is the smallest perturbation found, if ε allows it.

    Attributes:
        steps: of a run.
        target_classes: runs; there are at most K − 1.
    """

    steps: int = 100
    target_classes: int = 9

    name: ClassVar[str] = "fab-t"

    def propose(
        self,
        victim: Victim,
        images: Tensor,
        labels: Tensor,
        epsilon: float,
        draws: Draws,
        stop_early: bool,
    ) -> Tensor:
        """Return the smallest perturbation found, the first within ε if stopped, else the image."""
        found, sizes = self._search(victim, images, labels, epsilon if stop_early else 0.0)
        return torch.where((sizes <= epsilon)[:, None, None, None], found, images)

    def propose_grid(
        self,
        victim: Victim,
        images: Tensor,
        labels: Tensor,
        epsilons: Sequence[float],
        draws: Draws,
    ) -> Iterator[Tensor]:
        """Yield the proposals at each ε: the search knows no ε, so that one serves all."""
        found, sizes = self._search(victim, images, labels, 0.0)
        for epsilon in epsilons:
            yield torch.where((sizes <= epsilon)[:, None, None, None], found, images)

    def _search(
        self, victim: Victim, images: Tensor, labels: Tensor, enough: float
    ) -> tuple[Tensor, Tensor]:
        """Return the closest misclassified images and their distances; ∞ where there is none."""
        found = images.clone()
        sizes = torch.full(labels.shape, torch.inf, device=images.device)
        order = victim.logits(images).argsort(1, descending=True)
        rows = torch.arange(len(images), device=images.device)
        for rank in range(1, min(self.target_classes, order.shape[1] - 1) + 1):
            state = _State(rows, labels, order, images, images).take(sizes > enough)
            for _ in range(self.steps):
                if not len(state.row):
                    break
                state.current = self._step(victim, state, state.order[:, rank])
                wrong = victim.logits(state.current).argmax(1) != state.labels
                self._note(state, wrong, found, sizes)
                state = state.take(sizes[state.row] > enough)
        return found, sizes

    def _step(self, victim: Victim, state: _State, targets: Tensor) -> Tensor:
        _, gaps, gradient = victim.gradient(state.current, state.labels, _gap(targets))
        normals, current = gradient.flatten(1), state.current.flatten(1)
        clean = state.clean.flatten(1)
        offsets = (normals * current).sum(1) - gaps
        from_current = to_hyperplane(current, normals, offsets, self.norm)
        from_clean = to_hyperplane(clean, normals, offsets, self.norm)
        here, there = (
            BALLS[self.norm].size(move).clamp_min(LEAST) for move in (from_current, from_clean)
        )
        share = (here / (here + there)).clamp_max(ALPHA_MAX)[:, None]
        moved = (current + OVERSHOOT * from_current) * (1 - share)
        moved += (clean + OVERSHOOT * from_clean) * share
        return victim.arrange(moved.clamp_(0, 1).view(state.current.shape))

    def _note(self, state: _State, wrong: Tensor, found: Tensor, sizes: Tensor) -> None:
        delta = state.current - state.clean
        size = BALLS[self.norm].size(delta)
        closer = wrong & (size < sizes[state.row])
        found[state.row[closer]] = state.current[closer]
        sizes[state.row[closer]] = size[closer]
        back = state.clean + BACKWARD * delta
        state.current = torch.where(wrong[:, None, None, None], back, state.current)


def _gap(targets: Tensor) -> Loss:
    """Return the loss z_target − z_label, zero on the boundary between the two."""

    def gap(logits: Tensor, labels: Tensor) -> Tensor:
        return (logits.gather(1, targets[:, None]) - logits.gather(1, labels[:, None]))[:, 0]

    return gap
