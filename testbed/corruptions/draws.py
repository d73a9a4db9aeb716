"""Random draws for a batch of images, in which no image sees its neighbours."""

import hashlib
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from testbed.basis.seeding import generator

__all__ = ["Draws"]


class Draws:
    """One random generator for each image, made of (key, corruption, the image's grey levels).

    The position of an image in the set and its severity are no part of that key: the five
    severities of an image share their draws, and equal images are corrupted alike.

    Args:
        pixels: the images' grey levels, uint8, (N, C, H, W).
        corruption: the name of the corruption.
        key: the user's seed.
    """

    def __init__(self, pixels: np.ndarray, corruption: str, key: int | str) -> None:
        shape = repr(pixels.shape[1:]).encode()
        digests = (hashlib.sha256(shape + image.tobytes()).hexdigest() for image in pixels)
        self._sources = [generator("corruption", key, corruption, digest) for digest in digests]

    def normal(self, *shape: int) -> np.ndarray:
        """Return standard normal numbers, float64 (N, *shape)."""
        return self._each(lambda source: _float64(torch.randn, shape, source))

    def uniform(self, low: float, high: float, *shape: int) -> np.ndarray:
        """Return numbers from ``low`` to ``high``, float64 (N, *shape)."""
        numbers = self._each(lambda source: _float64(torch.rand, shape, source))
        return low + (high - low) * numbers

    def poisson(self, rates: np.ndarray) -> np.ndarray:
        """Return Poisson counts with these rates, float64 (N, *shape)."""
        pairs = zip(torch.from_numpy(rates), self._sources, strict=True)
        return torch.stack([torch.poisson(rate, source) for rate, source in pairs]).numpy()

    def _each(self, draw: Callable[[torch.Generator], Tensor]) -> np.ndarray:
        return torch.stack([draw(source) for source in self._sources]).numpy()


def _float64(
    draw: Callable[..., Tensor], shape: tuple[int, ...], source: torch.Generator
) -> Tensor:
    return draw(shape, generator=source, dtype=torch.float64)
