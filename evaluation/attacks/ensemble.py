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
from evaluation.attacks.examples import Examples
from evaluation.attacks.fab import FABT
from evaluation.attacks.settings import count
from evaluation.attacks.square import Square

__all__ = ["Standard"]


@dataclass(frozen=True)
class Standard(Attack):
    """APGD-CE, APGD-T, FAB-T and Square, in this order.

    Attributes:
        steps: of the first three.
        queries: of Square.
    """

    steps: int = count(100)
    queries: int = count(5000)

    name: ClassVar[str] = "autoattack"

    def members(self) -> tuple[Attack, ...]:
        """Return the attacks in their order."""
        return (
            APGDCE(self.norm, self.steps), APGDT(self.norm, self.steps),
            FABT(self.norm, self.steps), Square(self.norm, self.queries),
        )  # fmt: skip

    def notes(self, classes: int) -> list[str]:
        """Return which attack is left out on so few classes, and what the others note."""
        found = super().notes(classes)
        for member in self.members():
            if classes >= member.least_classes:
                found += member.notes(classes)
                continue
            found.append(
                f"note: autoattack leaves out {member.name}, which needs {member.least_classes} "
                f"classes: the network has {classes}"
            )
        return found

    def propose(self, batch: Examples, epsilon: float, stop_early: bool) -> Tensor:
        """Return what the first successful member proposes, else the image.

        An attack that needs more classes than the network has is left out.
        """
        result = batch.images.clone()
        left = torch.arange(len(batch), device=result.device)
        classes = APGDCE.least_classes  # until the first attack has seen logits
        for member in self.members():
            if not len(left):
                break
            if classes < member.least_classes:
                continue
            rest = batch.take(left).keyed(member.name)
            found = member.propose(rest, epsilon, stop_early)
            logits = batch.victim.logits(found)
            classes, wrong = logits.shape[1], logits.argmax(1) != rest.labels
            put(result, left[wrong], found[wrong])
            left = left[~wrong]
        return result
