"""How Square Attack starts and changes images: one class for each norm.

A change is made in place, to one square of each image of a batch.
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

    def side(self, share: float, height: int, width: int) -> int:
        """Return the side, in pixels, of a square that covers a share of an image."""
        ...

    def change(self, around: Ball, images: Tensor, numbers: Tensor, sides: Tensor) -> None:
        """Change one square of each image, in place.

        Args:
            around: the balls that the images stay in.
            images: (n, C, H, W).
            numbers: uniform in [0, 1), (n, `numbers`).
            sides: of the squares, (n,) in pixels; 0 leaves an image as it is.
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

    def side(self, share: float, height: int, width: int) -> int:
        """Return at least 1."""
        return min(max(round(math.sqrt(share * height * width)), 1), height, width)

    def change(self, around: Ball, images: Tensor, numbers: Tensor, sides: Tensor) -> None:
        """Set the square to the upper or lower end of the ball: where best ± 2ε is clamped to."""
        # With the channels last a pixel is a row, and all its channels lie side by side.
        pixels = images.permute(0, 2, 3, 1).contiguous()
        rows, clean = pixels.view(-1, images.shape[1]), around.center.permute(0, 2, 3, 1)
        image, place = _pixels(images, numbers[:, :2], sides)
        radius = around.radius.view(-1, 1)
        change = torch.where(numbers[:, 2:] < 0.5, -radius, radius).index_select(0, image)
        changed = clean.reshape(rows.shape).index_select(0, place).add_(change).clamp_(0, 1)
        rows.index_copy_(0, place, changed)
        if pixels.data_ptr() != images.data_ptr():  # not in that order: a copy was changed
            images.copy_(pixels.permute(0, 3, 1, 2))


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

    def side(self, share: float, height: int, width: int) -> int:
        """Return an odd number, so that a bump has a middle, and at least 3."""
        side = max(round(math.sqrt(share * height * width)), 3)
        return min(side + 1 - side % 2, height, width)

    def change(self, around: Ball, images: Tensor, numbers: Tensor, sides: Tensor) -> None:
        """Move length from the second square, and what is left of ε, into a bump in the first."""
        for side in sides.unique().tolist():
            if side:
                rows = (sides == side).nonzero()[:, 0]
                images[rows] = _bumped(around.take(rows), images[rows], numbers[rows], side)


def _bumped(around: Ball, images: Tensor, numbers: Tensor, side: int) -> Tensor:
    every = torch.arange(len(images), device=images.device)
    delta = images - around.center
    first = _window(images, every, numbers[:, :2], side)
    second = _window(images, every, numbers[:, 2:4], side)
    spare = (around.radius**2 - delta.square().sum((1, 2, 3), keepdim=True)).clamp_min(0)
    covered = torch.zeros_like(delta)
    covered[first] = covered[second] = 1
    length = (spare / images.shape[1] + (delta * covered).square().sum((2, 3), keepdim=True)).sqrt()
    bump = _bump(side).to(images)
    turned = (numbers[:, 4] < 0.5)[:, None, None, None]
    new = torch.where(turned, bump.T, bump) * _signs(numbers[:, 5:, None, None])
    old = delta[first]
    new = new + old / (_length(old) + TINY)
    delta[second] = 0
    delta[first] = new / (_length(new) + TINY) * length
    return _at_length(around, delta)


MOVES: dict[str, Moves] = {"Linf": LinfMoves(), "L2": L2Moves()}


def _window(
    images: Tensor, which: Tensor, places: Tensor, side: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the indices of one square in each of some images (n,), (n, C, side, side)."""
    steps = torch.arange(side, device=images.device)
    corner = _corners(images, places, torch.tensor([side], device=images.device))
    plane = torch.arange(images.shape[1], device=images.device)[None, :, None, None]
    rows, columns = corner[:, :1] + steps, corner[:, 1:] + steps
    return which[:, None, None, None], plane, rows[:, None, :, None], columns[:, None, None, :]


def _pixels(images: Tensor, places: Tensor, sides: Tensor) -> tuple[Tensor, Tensor]:
    """Return, for all pixels of one square in each image, its image and its place among all.

    The squares may be of any sides.
    """
    height, width = images.shape[2:]
    corner, areas = _corners(images, places, sides), sides**2
    every = torch.arange(len(sides), device=sides.device)
    image = every.repeat_interleave(areas)
    before = (areas.cumsum(0) - areas).index_select(0, image)
    within = torch.arange(len(image), device=sides.device).sub_(before)
    side = sides.index_select(0, image)
    corner = (every * height + corner[:, 0]) * width + corner[:, 1]
    # Down by whole rows of the image, across by what is left of the square's own.
    down = within.div(side, rounding_mode="trunc").mul_(width - side)
    return image, within.add_(down).add_(corner.index_select(0, image))


def _corners(images: Tensor, places: Tensor, sides: Tensor) -> Tensor:
    """Return the upper left corners, (n, 2), uniform where a square lies inside the image."""
    extent = torch.tensor(images.shape[2:], device=images.device)
    room = extent - sides[:, None] + 1
    return (places * room).long().minimum(room - 1)


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
