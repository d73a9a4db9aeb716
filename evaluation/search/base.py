"""A budget of queries, and the trajectory of a search: what was asked for, in which order."""

import contextlib
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from evaluation.search.space import Space
from testbed.basis.errors import InputError
from testbed.basis.seeding import derive_seed

__all__ = ["Answer", "Ask", "BudgetSpent", "Proxy", "Queries", "Query", "Searcher", "search"]

# What a searcher may do: ask for the score of a candidate, larger being better.
Ask = Callable[[int], float]
# What a searcher may look at for nothing, larger promising more.
Proxy = Callable[[int], float]


class Answer(NamedTuple):
    """A score, and its cost in seconds where that is known (it may be of an earlier run)."""

    value: float
    seconds: float | None = None


@dataclass(frozen=True)
class Query:
    """A query of a trajectory.

    Attributes:
        candidate: the candidate that was asked for.
        value: its score; NaN if it has none (a training that diverged).
        seconds: the seconds since the search began, those of the scores included.
    """

    candidate: int
    value: float
    seconds: float


class Searcher(Protocol):
    """A search algorithm: it asks for scores until `BudgetSpent` is raised."""

    def __call__(self, space: Space, ask: Ask, source: random.Random) -> None:
        """Search the space; every draw is from ``source``."""
        ...


class BudgetSpent(Exception):  # noqa: N818 - no error: how every search ends
    """The budget is spent, or every candidate has been asked for."""


class Queries:
    """Answers the queries of a searcher, and records them.

    A candidate that was asked for before is answered from memory and costs nothing. A score
    that is NaN is answered as −∞, so that comparisons keep their meaning.

    Args:
        objective: returns the score of a candidate, or an `Answer`.
        budget: the number of different candidates that are answered, at least 1.

    Raises:
        ValueError: if the budget is below 1.
    """

    def __init__(self, objective: Callable[[int], "float | Answer"], budget: int) -> None:
        if budget < 1:
            raise InputError(f"a search has at least 1 query; got {budget}")
        self.trajectory: list[Query] = []
        self._objective, self._budget = objective, budget
        self._known: dict[int, float] = {}
        self._clock, self._seconds = time.perf_counter(), 0.0

    def __call__(self, candidate: int) -> float:
        """Return the score of a candidate.

        Raises:
            BudgetSpent: if the last query has been answered.
        """
        if len(self.trajectory) >= self._budget:
            raise BudgetSpent
        if candidate not in self._known:
            self._known[candidate] = self._query(candidate)
        return self._known[candidate]

    def _query(self, candidate: int) -> float:
        asked = time.perf_counter()
        answer = self._objective(candidate)
        value, cost = answer if isinstance(answer, Answer) else (answer, None)
        now = time.perf_counter()
        self._seconds += (asked - self._clock) + (now - asked if cost is None else cost)
        self._clock = now
        self.trajectory.append(Query(candidate, float(value), self._seconds))
        return -math.inf if math.isnan(value) else float(value)


def search(
    searcher: Searcher,
    space: Space,
    objective: Callable[[int], "float | Answer"],
    queries: int,
    seed: object = 0,
) -> Queries:
    """Run a searcher until its budget, or the space, is spent.

    Args:
        searcher: the algorithm.
        space: the space of the candidates.
        objective: returns the score of a candidate, or an `Answer`.
        queries: the budget.
        seed: the seed of all draws; the trajectory depends on it, the searcher and the scores
            alone.
    """
    asked = Queries(objective, min(queries, len(space)))
    with contextlib.suppress(BudgetSpent):
        searcher(space, asked, random.Random(derive_seed("search", seed)))
    return asked
