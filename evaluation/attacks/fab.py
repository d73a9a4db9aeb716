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

from evaluation.attacks.base import Attack, put, targets_note
from evaluation.attacks.examples import Examples
from evaluation.attacks.losses import target_gap
from evaluation.attacks.norms import BALLS
from evaluation.attacks.per_image import PerImage
from evaluation.attacks.projections import to_hyperplane
from evaluation.attacks.settings import count
from evaluation.attacks.victim import Victim

__all__ = ["FABT"]

ALPHA_MAX = 0.1  # the largest share of the step that starts at the clean image
OVERSHOOT = 1.05  # η: how far beyond the linearised boundary a step goes
BACKWARD = 0.9  # β: how far an adversarial image stays from the clean one
LEAST = 1e-8
BEYOND = 1e-3  # of a perturbation's length


@dataclass
class _State(PerImage):
    row: Tensor  # (n,) where in the run's batch the image stands
    labels: Tensor
    targets: Tensor  # (n,)
    clean: Tensor  # (n, C, H, W)
    current: Tensor


@dataclass(frozen=True)
class FABT(Attack):
    """Targeted FAB: what the first target that ε allows has found, its smallest perturbation.

    Attributes:
        steps: of a run.
        target_classes: runs; there are at most K − 1.
    """

    steps: int = count(100)
    target_classes: int = count(9)

    name: ClassVar[str] = "fab-t"

    def notes(self, classes: int) -> list[str]:
        """Return that fewer targets are used than were asked for, if so."""
        return super().notes(classes) + targets_note(self.name, self.target_classes, classes)

    def propose(self, batch: Examples, epsilon: float, stop_early: bool) -> Tensor:
        """Return the smallest perturbation found, the first within ε if stopped, else the image."""
        enough = epsilon if stop_early else 0.0
        return next(self._search(batch, [epsilon], enough))

    def propose_grid(self, batch: Examples, epsilons: Sequence[float]) -> Iterator[Tensor]:
        """Yield the proposals at each ε: a run knows no ε, so that one serves all."""
        return self._search(batch, epsilons, 0.0)

    def _search(
        self, batch: Examples, epsilons: Sequence[float], enough: float
    ) -> Iterator[Tensor]:
        images = batch.images
        results = [images.clone() for _ in epsilons]
        closest = images.new_full(batch.labels.shape, torch.inf)
        left = torch.arange(len(images), device=images.device)
        for targets in batch.victim.wrong_classes(images, self.target_classes):
            if not len(left):
                break
            found, sizes = self._run(batch.take(left), targets[left], enough)
            for result, epsilon in zip(results, epsilons, strict=True):
                # As in AutoAttack, an image that one target has broken is not given to the next.
                first = (sizes <= epsilon) & (closest[left] > epsilon)
                put(result, left[first], _beyond(images[left[first]], found[first]))
            closest[left] = closest[left].minimum(sizes)
            left = left[closest[left] > min(epsilons)]
        yield from results

    def _run(self, batch: Examples, targets: Tensor, enough: float) -> tuple[Tensor, Tensor]:
        """Return the closest misclassified images and their distances; ∞ where there is none."""
        victim, images, labels = batch.victim, batch.images, batch.labels
        found, sizes = images.clone(), images.new_full(labels.shape, torch.inf)
        rows = torch.arange(len(images), device=images.device)
        state = _State(rows, labels, targets, images, images)
        for _ in range(self.steps):
            if not len(state.row):
                break
            self._step(victim, state)
            self._note(victim, state, found, sizes)
            state = state.take(sizes[state.row] > enough)
        return found, sizes

    def _step(self, victim: Victim, state: _State) -> None:
        gap = target_gap(state.targets)
        _, gaps, gradient = victim.gradient(state.current, state.labels, gap)
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
        state.current = victim.arrange(moved.clamp_(0, 1).view(state.current.shape))

    def _note(self, victim: Victim, state: _State, found: Tensor, sizes: Tensor) -> None:
        wrong = victim.logits(state.current).argmax(1) != state.labels
        delta = state.current - state.clean
        size = BALLS[self.norm].size(delta)
        closer = wrong & (size < sizes[state.row])
        put(found, state.row[closer], state.current[closer])
        sizes[state.row[closer]] = size[closer]
        back = state.clean + BACKWARD * delta
        state.current = torch.where(wrong[:, None, None, None], back, state.current)


def _beyond(clean: Tensor, found: Tensor) -> Tensor:
    """Return attacked images a little further off.

    The smallest perturbation ends on the boundary, where rounding would decide what the judge,
    who asks the network itself and not its fast copy, sees.
    """
    return (clean + (1 + BEYOND) * (found - clean)).clamp(0, 1)
