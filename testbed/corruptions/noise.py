"""Noise: Gaussian, shot, impulse. Images are float64 in [0, 1], (N, C, H, W)."""

import numpy as np

from testbed.corruptions.draws import Draws

__all__ = ["gaussian_noise", "impulse_noise", "shot_noise"]


def gaussian_noise(images: np.ndarray, draws: Draws, sigma: float) -> np.ndarray:
    """Add normal noise of standard deviation ``sigma`` to every value."""
    return images + sigma * draws.normal(*images.shape[1:])


def shot_noise(images: np.ndarray, draws: Draws, photons: float) -> np.ndarray:
    """Count photons: Poisson numbers of mean ``photons`` · value, over ``photons``."""
    return draws.poisson(images * photons) / photons


def impulse_noise(images: np.ndarray, draws: Draws, rate: float) -> np.ndarray:
    """Set a share ``rate`` of the values to 0 or 1, each as likely."""
    chance = draws.uniform(0, 1, *images.shape[1:])
    salt = draws.uniform(0, 1, *images.shape[1:]) < 0.5
    return np.where(chance < rate, salt, images)
