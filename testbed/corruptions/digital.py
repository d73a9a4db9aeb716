"""Brightness, contrast, elastic distortion, pixelation, JPEG.

Images are float64 in [0, 1], (N, C, H, W).
"""

from io import BytesIO

import numpy as np
from PIL import Image
from scipy import ndimage

from testbed.corruptions.draws import Draws
from testbed.corruptions.geometry import bilinear

__all__ = ["brightness", "contrast", "elastic_transform", "jpeg_compression", "pixelate"]


def brightness(images: np.ndarray, draws: Draws, more: float) -> np.ndarray:
    """Add ``more`` to the value V of hue, saturation and value; V is at most 1."""
    value = images.max(1, keepdims=True)
    brighter = np.minimum(value + more, 1)
    # With hue and saturation fixed, colours are proportional to V; black has none and turns grey.
    factor = np.divide(brighter, value, out=np.zeros_like(value), where=value > 0)
    return np.where(value > 0, images * factor, brighter)


def contrast(images: np.ndarray, draws: Draws, factor: float) -> np.ndarray:
    """Multiply the deviations from each channel's mean over the image."""
    mean = images.mean((2, 3), keepdims=True)
    return mean + factor * (images - mean)


def elastic_transform(
    images: np.ndarray, draws: Draws, strength: float, smoothness: float, shift: float
) -> np.ndarray:
    """Move three points at random, the image with them, and then every pixel a little.

    Simard, Steinkraus and Platt, "Best Practices for Convolutional Neural Networks", 2003.

    Args:
        images: float64 in [0, 1], (N, C, H, W).
        draws: one generator for each image.
        strength: how far pixels move, as a share of the side.
        smoothness: the standard deviation of the Gaussian that smooths the movement, as a share
            of the side.
        shift: how far the three points move at most along each axis, as a share of the side.
    """
    height, width = images.shape[2:]
    side = min(height, width)
    rows, columns = np.mgrid[:height, :width].astype(float)
    grid = np.stack([columns, rows, np.ones_like(rows)])
    # (N, 2, 3) @ (3, H · W)
    places = _inverse_affine(draws, side, height, width, shift * side) @ grid.reshape(3, -1)
    across, down = places.reshape(-1, 2, height, width).swapaxes(0, 1)
    warped = bilinear(images, down, across, "mirror")
    field = draws.uniform(-1, 1, 2, height, width)
    spread = (0, 0, smoothness * side, smoothness * side)
    field = ndimage.gaussian_filter(field, spread, mode="reflect", truncate=3)
    moves = strength * side * field
    return bilinear(warped, rows + moves[:, 1], columns + moves[:, 0], "reflect")


def _inverse_affine(draws: Draws, side: int, height: int, width: int, shift: float) -> np.ndarray:
    """Return the matrices, (N, 2, 3), that take places (x, y, 1) after the movement back."""
    x, y, arm = width // 2, height // 2, side // 3
    before = np.array([[x + arm, y + arm], [x + arm, y - arm], [x - arm, y - arm]], dtype=float)
    after = before + draws.uniform(-shift, shift, 3, 2)
    after = np.concatenate([after, np.ones((len(after), 3, 1))], axis=2)
    # Each row of `after`, a point (x, y, 1), times the result's transpose is its place before.
    return np.linalg.solve(after, np.broadcast_to(before, (len(after), 3, 2))).swapaxes(1, 2)


def pixelate(images: np.ndarray, draws: Draws, share: float) -> np.ndarray:
    """Shrink the sides to ``share``, rounded down, and grow them back, by box filters."""
    height, width = images.shape[2:]
    small = int(width * share), int(height * share)

    def both_ways(picture: Image.Image) -> Image.Image:
        return picture.resize(small, Image.Resampling.BOX).resize(
            (width, height), Image.Resampling.BOX
        )

    return np.stack([_as_array(both_ways(picture)) for picture in _pictures(images)])


def jpeg_compression(images: np.ndarray, draws: Draws, quality: int) -> np.ndarray:
    """Compress as JPEG of the given quality, with Pillow's defaults, and decompress."""
    results = []
    for picture in _pictures(images):
        file = BytesIO()
        picture.save(file, "JPEG", quality=quality)
        results.append(_as_array(Image.open(file)))
    return np.stack(results)


def _pictures(images: np.ndarray) -> list[Image.Image]:
    pixels = np.round(images * 255).astype(np.uint8).transpose(0, 2, 3, 1)
    if pixels.shape[3] == 1:
        pixels = pixels[..., 0]
    return [Image.fromarray(np.ascontiguousarray(image)) for image in pixels]


def _as_array(picture: Image.Image) -> np.ndarray:
    pixels = np.asarray(picture, dtype=np.float64) / 255
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
