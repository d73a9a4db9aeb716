"""What an attack is: it proposes, and others judge."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from torch import Tensor

from evaluation.attacks.draws import Draws
from evaluation.attacks.victim import Victim

__all__ = ["Attack", "put"]


@dataclass(frozen=True)
class Attack(ABC):
    """An attack with its settings; the fields of a subclass are what its results depend on.

    Attributes:
        norm: ``Linf`` or ``L2``.
        nested: whether an image broken at some ε is broken at every larger one by this
            attack's own perturbation. FGSM is not: its perturbation has a fixed length.
        attacks_misclassified: whether images that the network gets wrong are attacked too,
            which matters to confidences only.
    """

    norm: str = "Linf"

    name: ClassVar[str]
    nested: ClassVar[bool] = True
    uses_gradients: ClassVar[bool] = True
    iterative: ClassVar[bool] = True
    attacks_misclassified: ClassVar[bool] = False

    @abstractmethod
    def propose(
        self,
        victim: Victim,
        images: Tensor,
        labels: Tensor,
        epsilon: float,
        draws: Draws,
        stop_early: bool,
    ) -> Tensor:
        """Return the attacked images, (N, C, H, W).

        Args:
            victim: the network.
            images: the clean images, (N, C, H, W) in [0, 1].
            labels: the true classes, (N,).
            epsilon: the budget, in units of pixel values.
            draws: the source of randomness, one for each image.
            stop_early: whether an image is finished once it is misclassified. If not, every
                iterate is computed and an image ends as its paper says.
        """

    def propose_grid(
        self,
        victim: Victim,
        images: Tensor,
        labels: Tensor,
        epsilons: Sequence[float],
        draws: Draws,
    ) -> Iterator[Tensor]:
        """Yield the proposals for each ε on its own; one that shares work may override it."""
        for epsilon in epsilons:
            yield self.propose(victim, images, labels, epsilon, draws, stop_early=False)

    def settings(self) -> dict[str, Any]:
        """Return what a result depends on, for its key."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def put(target: Tensor, where: Tensor, values: Tensor) -> None:
    """Write values into the rows of a target that a mask or an index names, in place."""
    if len(values):
        target[where] = values
