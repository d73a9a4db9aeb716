"""What an attack is given: clean images with their classes, the network, and a source of chance."""

from dataclasses import dataclass, replace

from torch import Tensor

from evaluation.attacks.draws import Draws
from evaluation.attacks.victim import Victim

__all__ = ["Examples"]


@dataclass(frozen=True, eq=False)
class Examples:
    """Images that are attacked together.

    Attributes:
        victim: the network, as attacks see it.
        images: the clean images, (N, C, H, W) in [0, 1].
        labels: the true classes, (N,).
        draws: the source of randomness, one for each image.
    """

    victim: Victim
    images: Tensor
    labels: Tensor
    draws: Draws

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: Tensor) -> "Examples":
        """Return the examples that a mask (N,) or an index (n,) keeps."""
        return Examples(self.victim, self.images[rows], self.labels[rows], self.draws.take(rows))

    def keyed(self, *words: object) -> "Examples":
        """Return the same examples with independent draws: the words are added to the key."""
        return replace(self, draws=self.draws.keyed(*words))
