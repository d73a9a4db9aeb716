"""The 15 corruptions and the parameters of their five severities.

The parameters are those of CIFAR-10-C: Hendrycks and Dietterich, "Benchmarking Neural
Network Robustness to Common Corruptions and Perturbations", ICLR 2019, and the code
published with it. They are not those of ImageNet-C, which libraries offer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from testbed.corruptions import blur, digital, noise, weather

__all__ = ["TABLE", "Corruption"]


@dataclass(frozen=True)
class Corruption:
    """A corruption: a function of (images, draws, *parameters), and its parameters by severity."""

    function: Callable[..., np.ndarray]
    parameters: tuple[tuple[Any, ...], ...]


def _one(function: Callable[..., np.ndarray], *values: float) -> Corruption:
    return Corruption(function, tuple((value,) for value in values))


def _several(function: Callable[..., np.ndarray], *values: tuple[Any, ...]) -> Corruption:
    return Corruption(function, values)


TABLE: Mapping[str, Corruption] = MappingProxyType(
    {
        "brightness": _one(digital.brightness, 0.05, 0.1, 0.15, 0.2, 0.3),
        "contrast": _one(digital.contrast, 0.75, 0.5, 0.4, 0.3, 0.15),
        "defocus_blur": _several(
            blur.defocus_blur, (0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)
        ),
        "elastic_transform": _several(
            digital.elastic_transform,
            (0, 0, 0.08),
            (0.05, 0.2, 0.07),
            (0.08, 0.06, 0.06),
            (0.1, 0.04, 0.05),
            (0.1, 0.03, 0.03),
        ),
        "fog": _several(weather.fog, (0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
        "frost": _several(weather.frost, (1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
        "gaussian_noise": _one(noise.gaussian_noise, 0.04, 0.06, 0.08, 0.09, 0.1),
        "glass_blur": _several(
            blur.glass_blur, (0.05, 1), (0.25, 1), (0.4, 1), (0.25, 2), (0.4, 2)
        ),
        "impulse_noise": _one(noise.impulse_noise, 0.01, 0.02, 0.03, 0.05, 0.07),
        "jpeg_compression": _one(digital.jpeg_compression, 80, 65, 58, 50, 40),
        "motion_blur": _several(blur.motion_blur, (6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
        "pixelate": _one(digital.pixelate, 0.95, 0.9, 0.85, 0.75, 0.65),
        "shot_noise": _one(noise.shot_noise, 500, 250, 100, 75, 50),
        "snow": _several(
            weather.snow,
            (0.1, 0.2, 1, 0.6, (8, 3), 0.95),
            (0.1, 0.2, 1, 0.5, (10, 4), 0.9),
            (0.15, 0.3, 1.75, 0.55, (10, 4), 0.9),
            (0.25, 0.3, 2.25, 0.6, (12, 6), 0.85),
            (0.3, 0.3, 1.25, 0.65, (14, 12), 0.8),
        ),
        "zoom_blur": _one(blur.zoom_blur, 1.06, 1.11, 1.16, 1.21, 1.26),
    }
)
