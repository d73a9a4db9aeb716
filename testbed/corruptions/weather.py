"""Weather: snow, frost, fog. Images are float64 in [0, 1], (N, C, H, W)."""

import numpy as np

from testbed.corruptions import geometry
from testbed.corruptions.draws import Draws
from testbed.corruptions.geometry import pixel_scale, whole_levels

__all__ = ["fog", "frost", "snow"]

LUMA = np.array([0.299, 0.587, 0.114])[:, None, None]  # ITU-R BT.601


def snow(
    images: np.ndarray,
    draws: Draws,
    mean: float,
    sigma: float,
    zoom: float,
    threshold: float,
    blur: tuple[float, float],
    keep: float,
) -> np.ndarray:
    """Whiten the images and let bright flakes fall, and the same flakes turned by 180°.

    Args:
        images: (N, C, H, W).
        draws: one generator for each image.
        mean: the mean of the noise that becomes flakes.
        sigma: the standard deviation of that noise.
        zoom: the factor by which the noise is magnified, which sets the size of a flake.
        threshold: noise below it becomes no flake.
        blur: the radius and sigma, in pixels, of the motion blur that lets flakes fall.
        keep: the weight of the image in the result; the rest is its whitened form.
    """
    scale = pixel_scale(images)
    noise = mean + sigma * draws.normal(*images.shape[2:])
    flakes = geometry.clipped_zoom(noise[:, None], zoom * scale)
    flakes = np.where(flakes < threshold, 0, flakes)
    flakes = whole_levels(np.clip(flakes, 0, 1))
    flakes = geometry.motion_blur(
        flakes, blur[0] * scale, blur[1] * scale, draws.uniform(-135, -45)
    )
    grey = images if images.shape[1] == 1 else (images * LUMA).sum(1, keepdims=True)
    white = np.maximum(images, grey * 1.5 + 0.5)
    return keep * images + (1 - keep) * white + flakes + flakes[:, :, ::-1, ::-1]


# Fitted to crops of the benchmark's photographs, of 32×32 pixels: grey level (of 255), its
# standard deviation as a function of the level, how far the coldest one's red, green and blue
# are from grey, and the slope of the amplitude spectrum.
BRIGHTNESS, CONTRAST = (95.0, 228.0), (45.0, -0.14)
COLDEST = np.array([-0.4, 0.14, 0.26])
SLOPE = 0.75


def frost(images: np.ndarray, draws: Draws, keep: float, share: float) -> np.ndarray:
    """Lay a texture of ice over the images: ``keep`` · image + ``share`` · texture.

    The benchmark crops photographs of frost, which are not free to be passed on. Here every
    image gets noise with their mean colours, contrast and spectrum instead, so this
    corruption follows the benchmark's in its statistics only.
    """
    grey = draws.uniform(*BRIGHTNESS)[:, None, None]
    contrast = CONTRAST[0] + CONTRAST[1] * grey
    texture = (grey + contrast * _coloured_noise(draws, *images.shape[2:])) / 255
    texture = texture[:, None]
    if images.shape[1] == 3:
        # Squared, for most photographs are nearly grey.
        cold = draws.uniform(0, 1)[:, None] ** 2
        texture = texture * (1 + cold * COLDEST)[:, :, None, None]
    return keep * images + share * np.clip(texture, 0, 1)


def _coloured_noise(draws: Draws, height: int, width: int) -> np.ndarray:
    """Return noise of unit variance, (N, H, W), whose amplitudes fall as f^-SLOPE."""
    # Twice the size, or the noise would go on at the opposite edge.
    noise = draws.normal(2 * height, 2 * width)
    down, right = np.fft.fftfreq(2 * height), np.fft.rfftfreq(2 * width)
    frequency = np.hypot(down[:, None], right)
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(noise) * frequency**-SLOPE
    coloured = np.fft.irfft2(spectrum, s=noise.shape[1:])[:, :height, :width]
    coloured = coloured - coloured.mean((1, 2), keepdims=True)
    return coloured / coloured.std((1, 2), keepdims=True)


def fog(images: np.ndarray, draws: Draws, thickness: float, decay: float) -> np.ndarray:
    """Add clouds of the given thickness, and darken until the brightest value is as before."""
    side = 2 ** int(np.ceil(np.log2(max(images.shape[2:]))))
    clouds = _clouds(draws, side, decay)[:, None, : images.shape[2], : images.shape[3]]
    brightest = images.max((1, 2, 3), keepdims=True)
    return (images + thickness * clouds) * brightest / (brightest + thickness)


def _clouds(draws: Draws, side: int, decay: float) -> np.ndarray:
    """Return fractal clouds from 0 to 1, (N, side, side), by the diamond-square algorithm.

    Fournier, Fussell and Carpenter, "Computer Rendering of Stochastic Models", 1982, on a
    grid without edges. The noise of a level is ``decay``² times that of the next finer one.
    """
    # One draw for all levels: level after level fills the points that are still empty.
    noise = draws.uniform(-1, 1, side, side)
    heights = np.zeros_like(noise)
    step, amplitude = side, 1.0
    while step >= 2:
        half = step // 2
        corners = heights[:, ::step, ::step]
        right, below = np.roll(corners, -1, 2), np.roll(corners, -1, 1)
        middles = (corners + right + below + np.roll(right, -1, 1)) / 4
        middles = middles + amplitude * noise[:, half::step, half::step]
        across = (corners + right + middles + np.roll(middles, 1, 1)) / 4
        across = across + amplitude * noise[:, ::step, half::step]
        down = (corners + below + middles + np.roll(middles, 1, 2)) / 4
        down = down + amplitude * noise[:, half::step, ::step]
        heights[:, half::step, half::step] = middles
        heights[:, ::step, half::step] = across
        heights[:, half::step, ::step] = down
        step, amplitude = half, amplitude / decay**2
    heights -= heights.min((1, 2), keepdims=True)
    return heights / heights.max((1, 2), keepdims=True)
