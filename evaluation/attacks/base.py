"""What an attack is: it proposes, and others judge."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from torch import Tensor

from evaluation.attacks.examples import Examples
from evaluation.attacks.names import find
from evaluation.attacks.norms import BALLS
from evaluation.attacks.settings import check, choice
from testbed.basis.errors import InputError
from testbed.networks.modes import kept_settings

__all__ = ["Attack", "put", "targets_note"]


@dataclass(frozen=True)
class Attack(ABC):
    """An attack with its settings; the fields of a subclass are what its results depend on.

    A field may have a rule (see `evaluation.attacks.settings`), which is checked here, once for
    all attacks.

    Attributes:
        norm: ``Linf`` or ``L2``.
        nested: whether an image broken at some ε is broken at every larger one by this
            attack's own perturbation. FGSM is not: its perturbation has a fixed length.
        attacks_misclassified: whether images that the network gets wrong are attacked too,
            which matters to confidences only.
        image_by_image: whether an image fares the same with fewer others beside it, so that a
            batch may be halved where memory does not suffice.
        least_classes: fewer give the attack no meaning.
        too_few: why, and what to do, at the end of a sentence.

    Raises:
        ValueError: if a setting breaks its rule.
    """

    norm: str = choice("Linf", BALLS)

    name: ClassVar[str]
    nested: ClassVar[bool] = True
    iterative: ClassVar[bool] = True
    attacks_misclassified: ClassVar[bool] = False
    image_by_image: ClassVar[bool] = True
    least_classes: ClassVar[int] = 2
    too_few: ClassVar[str] = ": no class is a wrong one, so that there is nothing to attack"

    def __post_init__(self) -> None:
        check(self, self.name)

    @property
    def uses_gradients(self) -> bool:
        """Whether it needs gradients, as its record says; an attack without one does."""
        record = find(self.name)
        return record is None or record.gradients

    @abstractmethod
    def propose(self, batch: Examples, epsilon: float, stop_early: bool) -> Tensor:
        """Return the attacked images, (N, C, H, W).

        Args:
            batch: the clean images, (N, C, H, W), with what is needed to attack them.
            epsilon: the budget, in units of pixel values.
            stop_early: whether an image is finished once it is misclassified. If not, every
                iterate is computed and an image ends as its paper says.
        """

    def propose_grid(self, batch: Examples, epsilons: Sequence[float]) -> Iterator[Tensor]:
        """Yield the proposals for each ε on its own; one that shares work may override it."""
        for epsilon in epsilons:
            with kept_settings():  # what judges and measures next relies on them
                found = self.propose(batch, epsilon, stop_early=False)
            yield found

    def notes(self, classes: int) -> list[str]:
        """Return what to know of the attack on a network of K classes, as sentences.

        It is asked once, before the work. Sentences begin with ``note: ``.

        Raises:
            ValueError: if the attack has no meaning for so few classes.
        """
        if classes < self.least_classes:
            raise InputError(
                f"{self.name} needs {self.least_classes} classes and the network has {classes}"
                f"{self.too_few}"
            )
        return []

    def settings(self) -> dict[str, Any]:
        """Return what a result depends on, for its key."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def targets_note(name: str, asked: int, classes: int) -> list[str]:
    """Return the note that a targeted attack on K classes aims at fewer than were asked for."""
    if classes - 1 >= asked:
        return []
    return [
        f"note: {name} aims at {classes - 1} of the {asked} target classes asked for: the network "
        f"has {classes} classes"
    ]


def put(target: Tensor, where: Tensor, values: Tensor) -> None:
    """Write values into the rows of a target that a mask or an index names, in place."""
    if len(values):
        target[where] = values
