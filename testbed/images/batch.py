"""The fixed batch of a run, and the fingerprint by which two runs compare theirs."""

import hashlib
from dataclasses import dataclass

from torch import Tensor

from testbed.images.own.pixels import StoredPixels

__all__ = ["Batch", "fingerprint"]


@dataclass(frozen=True, eq=False)
class Batch:
    """Images and labels that every architecture of a run sees alike.

    Attributes:
        images: float32 in [0, 1], (N, C, H, W).
        labels: int64, (N,).
        fingerprint: 16 hexadecimal digits of the SHA-256 of the shape, the grey levels
            and the labels: equal exactly when the batches are, on every machine.
    """

    images: Tensor
    labels: Tensor
    fingerprint: str


def fingerprint(pixels: Tensor | StoredPixels, labels: Tensor, levels: int) -> str:
    """Return the fingerprint of a batch.

    Args:
        pixels: uint8 grey levels, (N, C, H, W); those on the disk are read in parts.
        labels: int64, (N,).
        levels: the grey level that stands for 1.0.
    """
    digest = hashlib.sha256(repr((tuple(pixels.shape), levels)).encode())
    for part in pixels.chunks() if isinstance(pixels, StoredPixels) else (pixels,):
        digest.update(part.contiguous().numpy().data)
    digest.update(labels.numpy().astype("<i8").tobytes())
    return digest.hexdigest()[:16]
