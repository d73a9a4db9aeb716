"""How Square Attack starts and changes images: one class for each norm.

A change is made in place, to those images of a batch whose squares are of one size.
"""

import math
from typing import Protocol

import torch
from torch import Tensor

from evaluation.attacks.draws import Draws
from evaluation.attacks.norms import Ball, L2Ball, LinfBall

__all__ = ["MOVES", "Moves"]

TINY = 1e-12


class Moves(Protocol):
    """The random search of one norm."""

    def start(self, around: Ball, draws: Draws) -> Tensor:
        """Return where the search starts, (n, C, H, W)."""
        ...

    def numbers(self, channels: int) -> int:
        """Return how many random numbers a change takes."""
        ...

    def change(
        self, around: Ball, images: Tensor, rows: Tensor, numbers: Tensor, share: float
    ) -> None:
        """Change some images in place.

        Args:
            around: the balls that the images stay in.
            images: (N, C, H, W).
            rows: an index (n,) of those to be changed.
            numbers: uniform in [0, 1), (n, `numbers`).
            share: of the pixels that the square covers.
        """
        ...


class LinfMoves:
    """Squares of the largest change allowed, of one sign in each channel. Algorithm 2."""

    def start(self, around: Ball, draws: Draws) -> Tensor:
        """Return vertical stripes of ±ε."""
        assert isinstance(around, LinfBall)
        channels, _, width = around.center.shape[1:]
        down = draws.uniform((channels, 1, width), "stripes") < 0.5
        return torch.where(down, around.lower, around.upper)

    def numbers(self, channels: int) -> int:
        """Return 2 for the place and 1 for each channel's sign."""
        return 2 + channels

    def change(
        self, around: Ball, images: Tensor, rows: Tensor, numbers: Tensor, share: float
    ) -> None:
        """Set the square to the upper or lower end of the ball: where best ± 2ε is clamped to."""
        height, width = images.shape[2:]
        size = min(max(round(math.sqrt(share * height * width)), 1), height, width)
        # With the channels last an index is a pixel, and all its channels lie side by side.
        pixels, clean = images.permute(0, 2, 3, 1), around.center.permute(0, 2, 3, 1)
        place = _pixels(images, rows, numbers[:, :2], size)
        radius = around.radius[rows]
        change = torch.where((numbers[:, 2:] < 0.5)[:, None, None], -radius, radius)
        pixels[place] = (clean[place] + change).clamp_(0, 1)


class L2Moves:
    """Bumps that take their length from another square, which they set to 0. Algorithm 3."""

    def start(self, around: Ball, draws: Draws) -> Tensor:
        """Return a grid of 5 × 5 bumps of random signs, at length ε."""
        count, channels, height, width = around.center.shape
        size = max(min(height, width) // 5, 1)
        down, across = height // size, width // size
        signs = _signs(draws.uniform((down, across, channels, 1, 1), "signs"))
        turned = draws.uniform((down, across, 1, 1, 1), "turned") < 0.5
        bump = _bump(size).to(around.center)
        tiles = torch.where(turned, bump.T, bump) * signs  # (n, down, across, C, s, s)
        grid = tiles.permute(0, 3, 1, 4, 2, 5).reshape(count, channels, down * size, across * size)
        delta = torch.zeros_like(around.center)
        top, left = (height - down * size) // 2, (width - across * size) // 2
        delta[:, :, top : top + down * size, left : left + across * size] = grid
        return _at_length(around, delta)

    def numbers(self, channels: int) -> int:
        """Return 4 for two places, 1 for the orientation, and 1 for each channel's sign."""
        return 5 + channels

    def change(
        self, around: Ball, images: Tensor, rows: Tensor, numbers: Tensor, share: float
    ) -> None:
        """Move length from the second square, and what is left of ε, into a bump in the first."""
        height, width = images.shape[2:]
        size = max(round(math.sqrt(share * height * width)), 3)
        size = min(size + 1 - size % 2, height, width)  # odd, so that a bump has a middle
        around, every = around.take(rows), torch.arange(len(rows), device=rows.device)
        delta = images[rows] - around.center
        first = _window(images, every, numbers[:, :2], size)
        second = _window(images, every, numbers[:, 2:4], size)
        spare = (around.radius**2 - delta.square().sum((1, 2, 3), keepdim=True)).clamp_min(0)
        covered = torch.zeros_like(delta)
        covered[first] = covered[second] = 1
        length = (
            spare / images.shape[1] + (delta * covered).square().sum((2, 3), keepdim=True)
        ).sqrt()
        bump = _bump(size).to(images)
        turned = (numbers[:, 4] < 0.5)[:, None, None, None]
        new = torch.where(turned, bump.T, bump) * _signs(numbers[:, 5:, None, None])
        old = delta[first]
        new = new + old / (_length(old) + TINY)
        delta[second] = 0
        delta[first] = new / (_length(new) + TINY) * length
        images[rows] = _at_length(around, delta)


MOVES: dict[str, Moves] = {"Linf": LinfMoves(), "L2": L2Moves()}


def _window(
    images: Tensor, which: Tensor, places: Tensor, size: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the indices of one square in each of some images (n,), (n, C, size, size)."""
    image, rows, columns = (index[:, None] for index in _pixels(images, which, places, size))
    plane = torch.arange(images.shape[1], device=images.device)[None, :, None, None]
    return image, plane, rows, columns


def _pixels(
    images: Tensor, which: Tensor, places: Tensor, size: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the indices of the pixels of one square in each image, (n, size, size)."""
    height, width = images.shape[2:]
    steps = torch.arange(size, device=images.device)
    # Uniform over all places where the square lies inside the image.
    room = torch.tensor([height - size + 1, width - size + 1], device=images.device)
    corner = (places * room).long().minimum(room - 1)
    rows, columns = corner[:, :1] + steps, corner[:, 1:] + steps
    return which[:, None, None], rows[:, :, None], columns[:, None, :]


def _bump(size: int) -> Tensor:
    """Return two stacked pyramids of opposite sign and length 1, (size, size): figure 2."""
    half = size // 2
    upper, lower = _pyramid(half, size), _pyramid(size - half, size)
    bump = torch.cat([upper, -lower])
    return bump / (bump.norm() + TINY)


def _pyramid(height: int, width: int) -> Tensor:
    """Return nested rectangles around the middle, the k-th one adding 1/k², (height, width)."""
    rows = (torch.arange(height) - height // 2).abs()
    columns = (torch.arange(width) - width // 2).abs()
    ring = torch.maximum(rows[:, None], columns[None, :])  # 0 in the middle
    last = max(height // 2, width // 2) + 1
    weights = 1 / torch.arange(1, last + 1, dtype=torch.float32).square()
    # A pixel of ring r lies in the rectangles r + 1, r + 2, …
    pyramid = weights.flip(0).cumsum(0).flip(0)[ring]
    return pyramid / (pyramid.norm() + TINY)


def _at_length(around: Ball, delta: Tensor) -> Tensor:
    return (around.center + around.radius * L2Ball.steepest(delta)).clamp_(0, 1)


def _signs(numbers: Tensor) -> Tensor:
    return 1 - 2 * (numbers < 0.5).to(numbers)


def _length(values: Tensor) -> Tensor:
    return values.square().sum((-2, -1), keepdim=True).sqrt()
