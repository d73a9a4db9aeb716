"""Random numbers of an attack: of each image its own, from its content and a key.

What is drawn for an image depends on the image, the seed, the attack and the words of
the draw, so neither on its neighbours in the batch nor on the order of the draws.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from testbed.basis.seeding import generator

__all__ = ["Draws"]


@dataclass(frozen=True)
class Draws:
    """The source of all random numbers of an attack on a batch.

    Attributes:
        images: what stands for each image: a digest of its content.
        key: the words that all draws share, the seed among them.
        device: where the numbers go.
    """

    images: list[str]
    key: tuple[object, ...]
    device: torch.device

    @staticmethod
    def of(images: Tensor, *key: object) -> "Draws":
        """Return the draws of clean images (N, C, H, W)."""
        return Draws([_content(image) for image in images], key, images.device)

    def take(self, keep: Tensor) -> "Draws":
        """Return the draws of the images that a mask (N,) or an index (n,) keeps."""
        chosen = torch.arange(len(self.images))[keep.cpu()].tolist()
        return replace(self, images=[self.images[i] for i in chosen])

    def keyed(self, *words: object) -> "Draws":
        """Return independent draws for the same images: the words are added to the key."""
        return replace(self, key=(*self.key, *words))

    def uniform(self, shape: Sequence[int], *words: object) -> Tensor:
        """Return numbers uniform in [0, 1), (N, \\*shape)."""
        return self._draw(torch.rand, shape, words)

    def normal(self, shape: Sequence[int], *words: object) -> Tensor:
        """Return standard normal numbers, (N, \\*shape)."""
        return self._draw(torch.randn, shape, words)

    def _draw(self, sample: Callable, shape: Sequence[int], words: tuple) -> Tensor:
        parts = [
            sample(tuple(shape), generator=generator(*self.key, *words, image))
            for image in self.images
        ]
        return torch.stack(parts).to(self.device) if parts else torch.empty(0, *shape)


def _content(image: Tensor) -> str:
    return hashlib.sha256(image.detach().cpu().contiguous().numpy().tobytes()).hexdigest()[:16]
