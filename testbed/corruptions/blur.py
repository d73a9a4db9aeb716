"""Blur: defocus, frosted glass, motion, zoom. Images are float64 in [0, 1], (N, C, H, W)."""

import numpy as np
from scipy import ndimage

from testbed.corruptions import geometry
from testbed.corruptions.draws import Draws
from testbed.corruptions.geometry import pixel_scale, whole_levels

__all__ = ["defocus_blur", "glass_blur", "motion_blur", "zoom_blur"]


def defocus_blur(images: np.ndarray, draws: Draws, radius: float, edge: float) -> np.ndarray:
    """Average over a disc of ``radius`` pixels, its edge softened by ``edge`` pixels."""
    scale = pixel_scale(images)
    kernel = _disc(radius * scale, edge * scale)
    return ndimage.correlate(images, kernel[None, None], mode="mirror")


def _disc(radius: float, edge: float) -> np.ndarray:
    # The softening mask of the benchmark has 3 taps, 5 for large discs.
    reach = 1 if radius <= 8 else 2
    half = int(radius) + reach
    offsets = np.arange(-half, half + 1)
    disc = (offsets[:, None] ** 2 + offsets**2 <= radius**2).astype(float)
    taps = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * edge**2))
    taps /= taps.sum()
    for axis in (0, 1):
        disc = ndimage.correlate1d(disc, taps, axis=axis, mode="constant")
    return disc / disc.sum()


def glass_blur(images: np.ndarray, draws: Draws, sigma: float, rounds: int) -> np.ndarray:
    """Blur, let pixels take the value of a random neighbour, ``rounds`` times, and blur.

    A neighbour is at most one pixel up and one to the left (two of each in images of
    64 pixels, and so on, and then also down and right), as the benchmark's code works out:
    it means to exchange two pixels but overwrites one.
    """
    scale = pixel_scale(images)
    spread = (0, 0, sigma * scale, sigma * scale)
    reach = round(scale)
    blurred = ndimage.gaussian_filter(images, spread, mode="nearest")
    blurred = whole_levels(blurred)
    for _ in range(rounds):
        blurred = _take_neighbours(blurred, draws, reach)
    return ndimage.gaussian_filter(blurred, spread, mode="nearest")


def _take_neighbours(images: np.ndarray, draws: Draws, reach: int) -> np.ndarray:
    height, width = images.shape[2:]
    moves = np.floor(draws.uniform(-reach, reach, 2, height, width)).astype(int)
    rows, columns = np.arange(height)[:, None], np.arange(width)
    # A margin stays as it is, wide enough for every neighbour to be inside.
    still = (rows <= reach) | (columns <= reach)
    still = still | (rows > height - reach) | (columns > width - reach)
    moves = np.where(still, 0, moves)
    image = np.arange(len(images))[:, None, None]
    # Advanced indices around the slice put the channels last.
    taken = images[image, :, rows + moves[:, 0], columns + moves[:, 1]]
    return np.moveaxis(taken, -1, 1)


def motion_blur(images: np.ndarray, draws: Draws, radius: float, sigma: float) -> np.ndarray:
    """Smear to one side, at most 45° from the horizontal; see ``geometry.motion_blur``."""
    scale = pixel_scale(images)
    return geometry.motion_blur(images, radius * scale, sigma * scale, draws.uniform(-45, 45))


def zoom_blur(images: np.ndarray, draws: Draws, end: float) -> np.ndarray:
    """Average the images, again the images, and their zooms by 1.00, 1.01, … below ``end``."""
    # arange with the benchmark's own arguments: rounding decides whether the end is in it.
    factors = np.arange(1, end, 0.01)
    zooms = sum(geometry.clipped_zoom(images, float(factor)) for factor in factors)
    return (images + zooms) / (len(factors) + 1)
