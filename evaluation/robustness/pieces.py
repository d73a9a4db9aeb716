"""What is measured, in pieces that join.

A piece is one network under one measure (clean, an attack over its ε grid, a corruption) on
some of the images. Since an image's outcome does not depend on its neighbours, pieces of a
network can be computed anywhere and joined; only whole measures are saved.
"""

from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from evaluation.attacks import Attack, Level
from evaluation.attacks.sanity import count_warnings, grid_warnings

__all__ = ["Collection", "Measure", "Part", "Piece", "Whole", "join"]


@dataclass(frozen=True)
class Measure:
    """What is done to the images.

    Attributes:
        key: of the published layout: ``clean``, ``fgsm@Linf``, ``fog``.
        levels: the ε of an attack (in units of 1/255), the severities of a corruption, or
            None once for clean images.
        attack: None for clean images and corruptions.
        settings: what the results depend on, for their keys.
    """

    key: str
    levels: tuple[float | None, ...]
    attack: Attack | None = None
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Whole:
    """A network under a measure on all images.

    Attributes:
        network: its name.
        seed: of its weights.
        measure: see there.
        digests: of its results, one a level.
        kept: whether all images that are to be kept are.
    """

    network: str
    seed: int | None
    measure: Measure
    digests: tuple[str, ...]
    kept: bool = True

    def left(self, finished: Container[str], failed: Container[str]) -> bool:
        """Say whether a result is neither finished nor failed, or images are not kept."""
        if any(digest not in finished and digest not in failed for digest in self.digests):
            return True
        return not self.kept and not any(digest in failed for digest in self.digests)


@dataclass(frozen=True)
class Piece:
    """A network under a measure, on the images from ``start`` to ``stop``: one unit of work."""

    network: str
    seed: int | None
    measure: Measure
    start: int
    stop: int

    @property
    def whole(self) -> tuple[str, int | None, str]:
        """What the piece is a part of."""
        return self.network, self.seed, self.measure.key


@dataclass(frozen=True)
class Part:
    """What came of a piece: an outcome for each level of the measure."""

    levels: list[Level]
    warnings: list[str]
    correct: Tensor


class Collection:
    """The parts that have arrived in this process; a whole measure is handed out and forgotten."""

    def __init__(self) -> None:
        self.parts: dict[tuple, dict[int, Part]] = {}
        self.given_up: set[tuple] = set()

    def __reduce__(self) -> tuple:
        # A job is sent to workers with every piece; what has arrived stays here.
        return Collection, ()

    def add(self, piece: Piece, part: Part, size: int) -> list[Part]:
        """Return all parts of the piece's measure, in order, if this was the last one, else none.

        Args:
            piece: that the part came of.
            part: that has arrived.
            size: the number of images of a whole measure.
        """
        if piece.whole in self.given_up:
            return []
        there = self.parts.setdefault(piece.whole, {})
        there[piece.start] = part
        if sum(len(arrived.correct) for arrived in there.values()) < size:
            return []
        del self.parts[piece.whole]
        return [there[start] for start in sorted(there)]

    def give_up(self, piece: Piece) -> bool:
        """Forget the measure of a piece, which failed; return whether it was the first to."""
        first = piece.whole not in self.given_up
        self.given_up.add(piece.whole)
        self.parts.pop(piece.whole, None)
        return first


def join(measure: Measure, parts: list[Part]) -> tuple[list[Level], list[str]]:
    """Return the outcomes of a measure over all its parts, one a level, and warnings."""
    columns = zip(*(part.levels for part in parts), strict=True)
    levels = [Level.join(list(column)) for column in columns]
    if measure.attack is None:
        return levels, parts[0].warnings + count_warnings(levels)
    correct = torch.cat([part.correct for part in parts])
    return levels, parts[0].warnings + grid_warnings(measure.attack, levels, correct)
