"""Search spaces that are asked of their record: neighbours of their own, networks too many to list.

A candidate is the place of a configuration in product order here too, whatever the product: a
whole number that names a genotype by the record's ``compose``, and is found again by its
``options``.
"""

import math
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.search.space import Space
from testbed.basis.errors import InputError
from testbed.spaces.space import SearchSpace

__all__ = ["Drawn", "Recorded"]

TRIES = 1000


@dataclass(frozen=True, eq=False)
class Recorded(Space):
    """A space whose neighbours are those that its record says.

    Attributes:
        record: of the space; it has to be given.
    """

    record: SearchSpace[Any] | None = None

    def restricted(self, members: Sequence[int]) -> "Recorded":
        """Return the same space with these candidates only."""
        return replace(self, members=sorted(members))

    def neighbours(self, candidate: int) -> list[int]:
        """Return the candidates that the record calls neighbours, each once, without itself."""
        if candidate not in self._neighbours:
            reached = map(self.place, self.known.neighbours(self.genotype(candidate)))
            members = None if self.members is None else frozenset(self.members)
            found = dict.fromkeys(self.canonical(place) for place in reached)
            self._neighbours[candidate] = [
                c for c in found if c != candidate and (members is None or c in members)
            ]
        return list(self._neighbours[candidate])

    def genotype(self, candidate: int) -> Any:
        """Return the genotype of a candidate."""
        return self.known.compose(self.configuration(candidate))

    def place(self, genotype: Any) -> int:
        """Return the candidate of a genotype, of its class or not.

        Raises:
            InputError: if the record gives the genotype an option that is none of its choices.
        """
        chosen, place = self.known.options(genotype), 0
        for (choice, options), stride in zip(self.choices.items(), self.strides, strict=True):
            try:
                place += options.index(chosen[choice]) * stride
            except (KeyError, ValueError) as error:
                raise InputError(
                    f"{self.known.title}: options() of {self.known.name(genotype)} has no option "
                    f"of {choice!r} that is among its choices"
                ) from error
        return place

    @property
    def known(self) -> SearchSpace[Any]:
        """Return the record."""
        assert self.record is not None
        return self.record


@dataclass(frozen=True, eq=False)
class Drawn(Recorded):
    """A space of more networks than can be listed: they are drawn, as its record draws them."""

    def __post_init__(self) -> None:
        """Take any number of configurations: a candidate is no 64-bit number here."""

    def __len__(self) -> int:
        """Return the number of configurations, or the largest that `len` can say."""
        return min(math.prod(self.counts), sys.maxsize)

    def name(self, candidate: int) -> str:
        """Return the network's name."""
        return self.known.name(self.genotype(candidate))

    def canonical(self, candidate: int) -> int:
        """Return the candidate that stands for this one's class."""
        return self.place(self.known.representative(self.genotype(candidate)))

    def sample(self, source: random.Random) -> int:
        """Return a random candidate, drawn by the record."""
        return self.place(self.known.representative(self.known.draw(source)))

    def distinct(self, count: int, source: random.Random) -> list[int]:
        """Return ``count`` different random candidates; fewer if a thousand draws give no more."""
        found: dict[int, None] = {}
        missed = 0
        while len(found) < count and missed < TRIES:
            before = len(found)
            found[self.sample(source)] = None
            missed = 0 if len(found) > before else missed + 1
        return list(found)

    def encode(self, candidates: Sequence[int]) -> NDArray[np.float32]:
        """Return the record's encoding of candidates, (n, F)."""
        return self.known.encode([self.genotype(candidate) for candidate in candidates])

    def one_hot(self, candidates: Sequence[int]) -> NDArray[np.float32]:
        """Return the record's encoding: a choice may have too many options for a column each."""
        return self.encode(candidates)
