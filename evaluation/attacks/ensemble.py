"""AutoAttack's standard ensemble: four attacks, each on what still stands.

Croce and Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse
parameter-free attacks", ICML 2020, section 6.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from evaluation.attacks.apgd import APGDCE, APGDT
from evaluation.attacks.base import Attack, put
from evaluation.attacks.draws import Draws
from evaluation.attacks.fab import FABT
from evaluation.attacks.square import Square
from evaluation.attacks.victim import Victim

__all__ = ["Standard"]


@dataclass(frozen=True)
class Standard(Attack):
    """APGD-CE, APGD-T, FAB-T and Square, in this order.

    Attributes:
        steps: of the first three.
        queries: of Square.
    """

    steps: int = 100
    queries: int = 5000

    name: ClassVar[str] = "autoattack"

    def propose(
        self,
        victim: Victim,
        images: Tensor,
        labels: Tensor,
        epsilon: float,
        draws: Draws,
        stop_early: bool,
    ) -> Tensor:
        """Return what the first successful member proposes, else the image."""
        result = images.clone()
        left = torch.arange(len(images), device=images.device)
        members = (
            APGDCE(self.norm, self.steps), APGDT(self.norm, self.steps),
            FABT(self.norm, self.steps), Square(self.norm, self.queries),
        )  # fmt: skip
        for member in members:
            if not len(left):
                break
            found = member.propose(
                victim, images[left], labels[left], epsilon,
                draws.take(left).keyed(member.name), stop_early,
            )  # fmt: skip
            wrong = victim.logits(found).argmax(1) != labels[left]
            put(result, left[wrong], found[wrong])
            left = left[~wrong]
        return result
