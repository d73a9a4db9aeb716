"""What several corruptions do with the places of pixels.

Images are float64 arrays (N, C, H, W).
"""

import numpy as np

__all__ = ["bilinear", "clipped_zoom", "motion_blur", "pixel_scale", "whole_levels"]


def pixel_scale(images: np.ndarray) -> float:
    """Return the factor by which lengths in pixels grow with the images: 1 up to 32 pixels.

    The benchmark's lengths are for 32 pixels. They are not shrunk for smaller images: blurs
    that are narrow at 32 pixels would leave 8 pixels as they are.
    """
    return max(1.0, min(images.shape[-2:]) / 32)


def whole_levels(images: np.ndarray) -> np.ndarray:
    """Return the images in whole steps of 1/255, rounded down as the benchmark does."""
    # The margin keeps whole levels whole where floating point falls just short of them.
    return np.floor(images * 255 + 1e-6) / 255


def bilinear(images: np.ndarray, rows: np.ndarray, columns: np.ndarray, edge: str) -> np.ndarray:
    """Return the images at fractional places, by linear interpolation.

    Args:
        images: (N, C, H, W).
        rows: (N, H, W), the row that each pixel is taken from, not rounded.
        columns: (N, H, W), the column that each pixel is taken from, not rounded.
        edge: how images continue beyond their edge: ``mirror`` (``c b | a b c``) or
            ``reflect`` (``b a | a b c``).
    """
    up, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    down_share, right_share = (rows - up)[:, None], (columns - left)[:, None]

    def at(row: np.ndarray, column: np.ndarray) -> np.ndarray:
        row, column = (
            _fold(place, size, edge)
            for place, size in zip((row, column), images.shape[2:], strict=True)
        )
        flat = (row * images.shape[3] + column).reshape(len(images), 1, -1)
        flat = np.broadcast_to(flat, (*images.shape[:2], flat.shape[-1]))
        return np.take_along_axis(images.reshape(*images.shape[:2], -1), flat, 2).reshape(
            images.shape
        )

    above = (1 - right_share) * at(up, left) + right_share * at(up, left + 1)
    below = (1 - right_share) * at(up + 1, left) + right_share * at(up + 1, left + 1)
    return (1 - down_share) * above + down_share * below


def _fold(places: np.ndarray, size: int, edge: str) -> np.ndarray:
    if edge == "reflect":
        places = places % (2 * size)
        return np.where(places < size, places, 2 * size - 1 - places)
    places = places % (2 * size - 2)
    return np.where(places < size, places, 2 * size - 2 - places)


def clipped_zoom(images: np.ndarray, factor: float) -> np.ndarray:
    """Return the middle of the images, magnified to their size.

    As in the benchmark, both ends of the part that is magnified and of its magnified form
    are whole pixels, so small factors leave small images as they are.

    Args:
        images: (N, C, H, W).
        factor: how much the middle is magnified, at least 1.
    """
    vertical, horizontal = (_zoom_matrix(size, factor) for size in images.shape[2:])
    return vertical @ images @ horizontal.T


def _zoom_matrix(size: int, factor: float) -> np.ndarray:
    part = int(np.ceil(size / factor))
    grown = round(part * factor)
    first = (size - part) // 2
    places = (np.arange(size) + (grown - size) // 2) * ((part - 1) / max(grown - 1, 1))
    left = np.minimum(places.astype(int), max(part - 2, 0))
    matrix = np.zeros((size, size))
    matrix[np.arange(size), first + left] = 1 - (places - left)
    matrix[np.arange(size), np.minimum(first + left + 1, size - 1)] += places - left
    return matrix


def motion_blur(images: np.ndarray, radius: float, sigma: float, degrees: np.ndarray) -> np.ndarray:
    """Return the images smeared to one side, in whole grey levels, rounded down.

    A pixel is the mean of those up to 2·radius away in its image's direction, with weights
    that fall like a normal density; beyond the edge, the edge pixel is repeated. This is
    what ``MotionBlurImage`` of ImageMagick 6 computes on 8-bit images.

    Args:
        images: (N, C, H, W).
        radius: half the length of the smear, in pixels.
        sigma: the standard deviation of the weights, in pixels.
        degrees: (N,), the direction of each image, clockwise from the right, in degrees.
    """
    steps = np.arange(2 * int(np.ceil(radius)) + 1)
    weights = np.exp(-(steps**2) / (2 * sigma**2))
    steps, weights = steps[weights > 1e-7], weights[weights > 1e-7]
    weights /= weights.sum()
    angles = np.deg2rad(degrees)[:, None]
    # (N, steps): whole pixels, halves rounded down.
    down = np.ceil(steps * np.sin(angles) - 0.5).astype(int)
    right = np.ceil(steps * np.cos(angles) - 0.5).astype(int)
    count, channels, height, width = images.shape
    image = np.arange(count)[:, None, None, None]
    channel = np.arange(channels)[:, None, None]
    blurred = np.zeros_like(images)
    for step in steps:
        rows = np.clip(np.arange(height) + down[:, step, None], 0, height - 1)
        columns = np.clip(np.arange(width) + right[:, step, None], 0, width - 1)
        places = image, channel, rows[:, None, :, None], columns[:, None, None, :]
        blurred += weights[step] * images[places]
    return whole_levels(blurred)
