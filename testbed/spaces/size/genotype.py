"""The size space of NATS-Bench: five widths of eight choices, 32,768 networks of one cell.

The widths are those of the five blocks: a cell, a reduction, a cell, a reduction, a cell.

Dong, Liu, Musial and Gabrys, "NATS-Bench: Benchmarking NAS Algorithms for Architecture Topology
and Size", IEEE TPAMI 2021.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from testbed.basis.foreign_text import described
from testbed.spaces.errors import GenotypeError

__all__ = [
    "BLOCKS",
    "NAME",
    "SIZE",
    "WIDTHS",
    "Genotype",
    "GenotypeError",
    "enumerate_space",
]

WIDTHS = (8, 16, 24, 32, 40, 48, 56, 64)
BLOCKS = 5
SIZE = len(WIDTHS) ** BLOCKS
NAME = re.compile(r"[1-9][0-9]?(:[1-9][0-9]?)*")
_FORM = "five widths such as 8:16:24:32:40"


@dataclass(frozen=True)
class Genotype:
    """One of the 32,768 networks: the width of each block, from the image to the classifier.

    Raises:
        GenotypeError: if there are not five widths, or one is none of `WIDTHS`.
    """

    widths: tuple[int, ...]

    def __post_init__(self) -> None:
        widths: Any = self.widths
        if not isinstance(widths, Sequence) or isinstance(widths, str | bytes):
            raise GenotypeError(f"expected {BLOCKS} widths; got {described(widths)}")
        if len(widths) != BLOCKS:
            raise GenotypeError(
                f"a network of the size space has {BLOCKS} widths; got {len(widths)}: "
                f"{described(tuple(widths))}"
            )
        for number, width in enumerate(widths):
            if type(width) is not int or width not in WIDTHS:
                raise GenotypeError(
                    f"expected width {number + 1} to be one of {', '.join(map(str, WIDTHS))}; "
                    f"got {described(width)}"
                )
        object.__setattr__(self, "widths", tuple(widths))

    @staticmethod
    def parse(text: str) -> "Genotype":
        """Read the official name, ``8:16:24:32:40``.

        Raises:
            GenotypeError: if it is none.
        """
        if not isinstance(text, str) or not NAME.fullmatch(text.strip()):
            raise GenotypeError(
                f"not a network of the size space: expected {_FORM}; got {described(text)}"
            )
        return Genotype(tuple(map(int, text.strip().split(":"))))

    @staticmethod
    def from_index(index: int) -> "Genotype":
        """Return the network of this published id (0 to 32,767)."""
        if type(index) is not int or not 0 <= index < SIZE:
            raise GenotypeError(
                f"expected the id of a network of the size space, 0 to {SIZE - 1:,}; "
                f"got {described(index)}"
            )
        places = (len(WIDTHS) ** power for power in reversed(range(BLOCKS)))
        return Genotype(tuple(WIDTHS[index // place % len(WIDTHS)] for place in places))

    @property
    def index(self) -> int:
        """Return the id in the published archive, whose order is lexicographic in the widths."""
        found = 0
        for width in self.widths:
            found = found * len(WIDTHS) + WIDTHS.index(width)
        return found

    @property
    def name(self) -> str:
        """Return the official name, ``8:16:24:32:40``."""
        return ":".join(map(str, self.widths))

    def __str__(self) -> str:
        return self.name


def enumerate_space() -> Iterator[Genotype]:
    """Yield all 32,768 genotypes in the order of their published ids."""
    return map(Genotype, itertools.product(WIDTHS, repeat=BLOCKS))
