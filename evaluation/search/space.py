"""A search space: options to choose among, and which configurations are the same network."""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbed.basis.errors import InputError

__all__ = ["Space"]

TRIES = 1000
LARGEST = 2**62


@dataclass(frozen=True, eq=False)
class Space:
    """A product of choices. A candidate is the place of a configuration in product order.

    With an alias, candidates of one class are one node of the space: neighbours, mutants and
    random draws are classes, each named by the candidate that stands for it.

    Attributes:
        choices: the options of each choice by its name, the first choice varying slowest.
        alias: for each candidate the one that stands for its class; None if all differ.
        members: the candidates that may be asked for, sorted; None for all that stand for
            themselves.
        features: an encoding of each candidate, (size, F); None for one-hot options.
        names: the names of the candidates, for tables; None for their options.
    """

    choices: Mapping[str, Sequence[Any]]
    alias: Sequence[int] | None = None
    members: Sequence[int] | None = None
    features: NDArray[np.float32] | None = None
    names: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if not self.choices or not all(self.choices.values()):
            raise InputError(f"a search space has choices with options each; got {self.choices}")
        if math.prod(self.counts) > LARGEST:
            raise InputError(
                f"a search space has at most {LARGEST:.0e} configurations, for candidates are "
                f"64-bit numbers; got {math.prod(self.counts):.0e}: take fewer choices or options"
            )

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Return the number of options of each choice."""
        return tuple(len(options) for options in self.choices.values())

    @cached_property
    def strides(self) -> tuple[int, ...]:
        """Return by how much a candidate grows with each option of a choice."""
        return tuple(math.prod(self.counts[place + 1 :]) for place in range(len(self.counts)))

    @cached_property
    def pool(self) -> Sequence[int]:
        """Return the candidates that may be asked for."""
        if self.members is not None:
            return self.members
        every = range(math.prod(self.counts))
        return every if self.alias is None else [c for c in every if self.alias[c] == c]

    def __len__(self) -> int:
        """Return the number of candidates that may be asked for."""
        return len(self.pool)

    def restricted(self, members: Sequence[int]) -> "Space":
        """Return the same space with these candidates only."""
        return Space(self.choices, self.alias, sorted(members), self.features, self.names)

    def name(self, candidate: int) -> str:
        """Return the name of a candidate in tables."""
        if self.names is not None:
            return self.names[candidate]
        return ", ".join(f"{k}={v}" for k, v in self.configuration(candidate).items())

    def configuration(self, candidate: int) -> dict[str, Any]:
        """Return the chosen option of each choice."""
        options = zip(self.choices.items(), self._digits(candidate), strict=True)
        return {name: values[digit] for (name, values), digit in options}

    def candidate(self, configuration: Mapping[str, Any]) -> int:
        """Return the candidate of a configuration, or the one that stands for it.

        Raises:
            ValueError: if a choice is missing or unknown, or an option is not among its own.
        """
        if set(configuration) != set(self.choices):
            raise InputError(
                f"a configuration has the choices {', '.join(self.choices)}; "
                f"got {', '.join(map(str, configuration))}"
            )
        digits = [list(values).index(configuration[name]) for name, values in self.choices.items()]
        return self.canonical(sum(d * s for d, s in zip(digits, self.strides, strict=True)))

    def canonical(self, candidate: int) -> int:
        """Return the candidate that stands for this one."""
        return candidate if self.alias is None else self.alias[candidate]

    def sample(self, source: random.Random) -> int:
        """Return a random candidate, each of the pool with the same probability."""
        return self.pool[source.randrange(len(self.pool))]

    def distinct(self, count: int, source: random.Random) -> list[int]:
        """Return ``count`` different random candidates, or all if there are fewer."""
        return source.sample(self.pool, min(count, len(self.pool)))

    def neighbours(self, candidate: int) -> list[int]:
        """Return the candidates that one changed choice leads to, each once, without itself."""
        if candidate not in self._neighbours:
            reached = (
                self.canonical(candidate + (option - digit) * stride)
                for digit, count, stride in zip(
                    self._digits(candidate), self.counts, self.strides, strict=True
                )
                for option in range(count)
                if option != digit
            )
            known = self._known
            found = [c for c in dict.fromkeys(reached) if known is None or c in known]
            self._neighbours[candidate] = [c for c in found if c != candidate]
        return list(self._neighbours[candidate])

    def mutate(self, candidate: int, source: random.Random, probability: float) -> int:
        """Return a random other candidate: each choice is redrawn with this probability.

        A redrawn choice takes one of its other options. If a thousand such draws give no
        other candidate of the pool, a random one of the pool is returned, and from then on at
        once where the space is restricted: few members lie far apart.
        """
        digits = self._digits(candidate)
        for _ in range(0 if candidate in self._alone else TRIES):
            mutant = candidate
            for digit, count, stride in zip(digits, self.counts, self.strides, strict=True):
                if count > 1 and source.random() < probability:
                    other = source.randrange(count - 1)
                    mutant += (other + (other >= digit) - digit) * stride
            mutant = self.canonical(mutant)
            if mutant != candidate and (self._known is None or mutant in self._known):
                return mutant
        if self.members is not None:
            self._alone.add(candidate)
        return self.sample(source)

    def encode(self, candidates: Sequence[int]) -> NDArray[np.float32]:
        """Return the features of candidates, (n, F)."""
        rows = np.asarray(candidates, dtype=np.int64)
        if self.features is not None:
            return self.features[rows]
        return self.one_hot(candidates)

    def one_hot(self, candidates: Sequence[int]) -> NDArray[np.float32]:
        """Return which option each choice has, (n, sum of the numbers of options), 0 or 1."""
        rows = np.asarray(candidates)[:, None]
        digits = rows // np.array(self.strides) % np.array(self.counts)
        blocks = [np.eye(n, dtype=np.float32)[digits[:, i]] for i, n in enumerate(self.counts)]
        return np.concatenate(blocks, axis=1)

    def _digits(self, candidate: int) -> list[int]:
        places = zip(self.strides, self.counts, strict=True)
        return [candidate // stride % count for stride, count in places]

    @cached_property
    def _known(self) -> frozenset[int] | None:
        return None if self.members is None else frozenset(self.members)

    @cached_property
    def _alone(self) -> set[int]:
        return set()

    @cached_property
    def _neighbours(self) -> dict[int, list[int]]:
        return {}
