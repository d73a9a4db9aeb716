"""Corrupt images, or a whole image set, without a file of the benchmark."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from testbed.corruptions.draws import Draws
from testbed.corruptions.geometry import whole_levels
from testbed.corruptions.severities import TABLE
from testbed.images.corrupted import SEVERITIES, generated_name
from testbed.images.errors import ImagesError
from testbed.images.image_set import ImageSet
from testbed.images.own.pixels import StoredPixels

__all__ = ["corrupt", "corrupted_set", "eight_bits"]

# Enough to amortise the calls, few enough to stay in the cache.
CHUNK = 128
SMALLEST = 4


def corrupt(images: Tensor, corruption: str, severity: int, key: int | str = 0) -> Tensor:
    """Return the corrupted images.

    An image's result depends on its grey levels, the corruption, the severity and the key
    alone, not on the images beside it. As in the benchmark, images go in and come out with
    8 bits a value, and results are rounded down; floats are rounded to 8 bits first.

    Images of 32×32×3 get CIFAR-10-C's corruptions. Lengths in pixels are the same for
    smaller images and grow in proportion for larger ones; those of ``elastic_transform``
    and ``pixelate`` are shares of the side at all sizes. ``zoom_blur``'s smallest zooms
    and some steps of ``pixelate`` are less than a pixel in images of 8×8.

    Args:
        images: uint8, or floating-point in [0, 1], of shape (N, C, H, W) with C 1 or 3 and
            sides of at least 4 pixels.
        corruption: one of ``CORRUPTIONS``.
        severity: from 1 to 5.
        key: the seed of the random corruptions.

    Returns:
        Images of the same shape, dtype and device.

    Raises:
        ImagesError: if the images, the corruption or the severity are not of this kind.
    """
    _check(images, corruption, severity)
    if not len(images):
        return images.clone()
    pixels = images.detach().cpu()
    if images.dtype != torch.uint8:
        pixels = (pixels.to(torch.float64) * 255).round().to(torch.uint8)
    result = torch.from_numpy(_corrupt(pixels.numpy(), corruption, severity, key))
    if images.dtype != torch.uint8:
        result = (result.to(torch.float64) / 255).to(images.dtype)
    return result.to(images.device)


def _corrupt(pixels: np.ndarray, corruption: str, severity: int, key: int | str) -> np.ndarray:
    entry = TABLE[corruption]
    result = np.empty_like(pixels, order="C")
    for start in range(0, len(pixels), CHUNK):
        part = np.ascontiguousarray(pixels[start : start + CHUNK])
        draws = Draws(part, corruption, key)
        values = entry.function(part / 255.0, draws, *entry.parameters[severity - 1])
        levels = np.round(whole_levels(np.clip(values, 0, 1)) * 255)
        result[start : start + CHUNK] = levels.astype(np.uint8)
    return result


def _check(images: Any, corruption: str, severity: int) -> None:
    if corruption not in TABLE:
        raise ImagesError(f"unknown corruption {corruption!r}; there are {', '.join(TABLE)}")
    if not isinstance(severity, int) or severity not in SEVERITIES:
        raise ImagesError(f"a severity is one of 1, 2, 3, 4, 5; got {severity!r}")
    shape = tuple(images.shape)
    if len(shape) != 4 or shape[1] not in (1, 3) or min(shape[2:]) < SMALLEST:
        raise ImagesError(
            f"expected images (N, C, H, W) with 1 or 3 channels and sides of at least "
            f"{SMALLEST} pixels; got {shape}"
        )
    if images.dtype == torch.uint8 or not len(images):
        return
    if not images.is_floating_point():
        raise ImagesError(f"expected uint8 or floating-point images; got {images.dtype}")
    low, high = float(images.min()), float(images.max())
    if not (low >= 0 and high <= 1):  # NaN fails as well
        raise ImagesError(f"expected images in [0, 1]; got values from {low:g} to {high:g}")


def corrupted_set(images: ImageSet, corruption: str, severity: int, key: int | str = 0) -> ImageSet:
    """Return an image set corrupted in memory, as `write_corrupted` would write it.

    The pixels are replaced by those that `corrupt` returns, in 256 grey levels. The labels, and
    the mean and the standard deviation by which networks normalise, stay those of the clean set.

    Args:
        images: the clean set.
        corruption: one of ``CORRUPTIONS``.
        severity: from 1 to 5.
        key: the seed of the random corruptions.

    Raises:
        ImagesError: if the images cannot be corrupted, or the corruption or the severity is
            unknown.
    """
    return replace(
        images,
        name=generated_name(images.name, corruption, severity, key),
        pixels=corrupt(eight_bits(images)[:], corruption, severity, key),
        levels=255,
    )


def eight_bits(images: ImageSet) -> Tensor | StoredPixels:
    """Return a set's pixels as uint8, (N, C, H, W), with 255 for 1.0."""
    if images.levels == 255:
        return images.pixels
    return (images.images().to(torch.float64) * 255).round().to(torch.uint8)
