"""Balls around images in ℓ∞ and ℓ2, cut by the box [0, 1] of pixels."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from evaluation.attacks.draws import Draws
from evaluation.attacks.per_image import PerImage

__all__ = ["BALLS", "Ball", "ball"]


@dataclass
class Ball(PerImage, ABC):
    """The images within ε of given ones, pixels in [0, 1].

    Attributes:
        center: (N, C, H, W), the clean images.
        radius: (N, 1, 1, 1), ε in units of pixel values.
    """

    center: Tensor
    radius: Tensor

    @abstractmethod
    def project(self, images: Tensor) -> Tensor:
        """Return images (N, C, H, W) moved into the ball and the box."""

    @abstractmethod
    def random(self, draws: Draws, *words: object) -> Tensor:
        """Return a random point of each ball, uniform before the box cuts it."""

    @staticmethod
    @abstractmethod
    def steepest(gradient: Tensor) -> Tensor:
        """Return the direction of norm 1 in which a loss grows fastest; 0 where it is flat."""

    @staticmethod
    @abstractmethod
    def size(delta: Tensor) -> Tensor:
        """Return the norm of each perturbation, (N,)."""


@dataclass
class LinfBall(Ball):
    """Every pixel within ε."""

    lower: Tensor
    upper: Tensor

    def project(self, images: Tensor) -> Tensor:
        """Clamp every pixel: the exact projection."""
        return images.clamp(self.lower, self.upper)

    def random(self, draws: Draws, *words: object) -> Tensor:
        """Return points uniform in the cube."""
        noise = 2 * draws.uniform(self.center.shape[1:], *words) - 1
        return self.project(self.center + self.radius * noise)

    @staticmethod
    def steepest(gradient: Tensor) -> Tensor:
        """Return the sign."""
        return gradient.sign()

    @staticmethod
    def size(delta: Tensor) -> Tensor:
        """Return the largest change of a pixel."""
        return delta.abs().flatten(1).amax(1)


@dataclass
class L2Ball(Ball):
    """Euclidean distance at most ε."""

    def project(self, images: Tensor) -> Tensor:
        """Scale onto the ball, then clamp to the box, which moves no pixel outwards."""
        delta = images - self.center
        length = _column(self.size(delta), delta)
        scale = (self.radius / length.clamp_min(torch.finfo(delta.dtype).tiny)).clamp_max(1)
        return (self.center + delta * scale).clamp_(0, 1)

    def random(self, draws: Draws, *words: object) -> Tensor:
        """Return points uniform in the ball."""
        shape = self.center.shape[1:]
        direction = self.steepest(draws.normal(shape, "direction", *words))
        radius = draws.uniform((1, 1, 1), "radius", *words) ** (1 / shape.numel())
        return (self.center + self.radius * radius * direction).clamp_(0, 1)

    @staticmethod
    def steepest(gradient: Tensor) -> Tensor:
        """Return the gradient at length 1."""
        length = _column(L2Ball.size(gradient), gradient)
        return gradient / length.clamp_min(torch.finfo(gradient.dtype).tiny)

    @staticmethod
    def size(delta: Tensor) -> Tensor:
        """Return the Euclidean length."""
        return delta.flatten(1).norm(dim=1)


BALLS: dict[str, type[Ball]] = {"Linf": LinfBall, "L2": L2Ball}


def ball(norm: str, center: Tensor, epsilon: float | Tensor) -> Ball:
    """Return the balls of radius ε around images (N, C, H, W).

    ε is in units of pixel values: one number, or (N, 1, 1, 1) for a radius of each image.
    """
    same = isinstance(epsilon, float | int)
    radius = center.new_full((len(center), 1, 1, 1), epsilon) if same else epsilon
    if norm == "Linf":
        lower, upper = (center - radius).clamp_(0, 1), (center + radius).clamp_(0, 1)
        return LinfBall(center, radius, lower, upper)
    return BALLS[norm](center, radius)


def _column(values: Tensor, like: Tensor) -> Tensor:
    return values.view(-1, *[1] * (like.dim() - 1))
