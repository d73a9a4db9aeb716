"""A budget of queries, and the trajectory of a search: what was asked for, in which order."""

import contextlib
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from evaluation.search.space import Space
from testbed.errors import InputError
from testbed.seeding import derive_seed

__all__ = ["Answer", "Ask", "BudgetSpent", "Proxy", "Queries", "Query", "Searcher", "search"]

# What a searcher may do: ask for the score of a candidate, larger being better.
Ask = Callable[[int], float]
# What a searcher may look at for nothing, larger promising more.
Proxy = Callable[[int], float]


class Answer(NamedTuple):
    """A score, and what it cost where that is known (it may come from an earlier run)."""

    value: float
    seconds: float | None = None


@dataclass(frozen=True)
class Query:
    """A query of a trajectory.

    Attributes:
        candidate: of the space.
        value: its score; NaN if it has none (a training that diverged).
        seconds: since the search began, its own time and the scores' time together.
    """

    candidate: int
    value: float
    seconds: float


class Searcher(Protocol):
    """An algorithm: it asks until it is told that the budget is spent."""

    def __call__(self, space: Space, ask: Ask, source: random.Random) -> None:
        """Search; every draw is from ``source``."""
        ...


class BudgetSpent(Exception):  # noqa: N818 - no error: how every search ends
    """There is nothing left to ask for."""


class Queries:
    """Answers a searcher, and writes down what it asked.

    A candidate that was asked for before is answered from memory and costs nothing. A score
    that is NaN is answered as −∞, so that comparisons keep their meaning.

    Args:
        objective: candidate → score, or `Answer`.
        budget: of different candidates, at least 1.

    Raises:
        ValueError: if the budget is smaller.
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
        space: of the candidates.
        objective: candidate → score, or `Answer`.
        queries: the budget.
        seed: of all draws; the trajectory depends on it, the searcher and the scores alone.
    """
    asked = Queries(objective, min(queries, len(space)))
    with contextlib.suppress(BudgetSpent):
        searcher(space, asked, random.Random(derive_seed("search", seed)))
    return asked
