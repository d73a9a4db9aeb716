"""Objectives that are known before a search: columns of a truth, or a proxy."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evaluation.ranking.target_choice import choose_targets
from evaluation.search.base import Answer
from evaluation.search.candidates import Candidates, default_candidates
from testbed.basis.errors import ToolkitError

__all__ = ["Objective", "ObjectiveError", "Tabular", "truth_objective"]


class ObjectiveError(ToolkitError):
    """An objective of which the data have no values."""


class Objective(Protocol):
    """One or several scores of a candidate, larger being better."""

    @property
    def targets(self) -> tuple[str, ...]:
        """Return the names of the scores."""
        ...

    def scalar(self, weights: Sequence[float]) -> Callable[[int], "float | Answer"]:
        """Return a function from a candidate to the weighted sum of its scores."""
        ...


@dataclass(frozen=True, eq=False)
class Tabular:
    """Scores that are known before the search.

    Attributes:
        targets: the names of the scores.
        values: the scores, (size of the space, number of targets); NaN where there is none.
    """

    targets: tuple[str, ...]
    values: NDArray[np.float64]

    def scalar(self, weights: Sequence[float]) -> Callable[[int], float]:
        """Return a function from a candidate to the weighted sum of its scores."""
        # A list: looking up one number of an array costs more than a step of local search.
        return (self.values @ np.asarray(weights, dtype=np.float64)).tolist().__getitem__

    def members(self, candidates: Candidates | None = None) -> tuple[int, ...] | None:
        """Return the candidates that have every score; None where none lacks any.

        Args:
            candidates: all there are; None for those of NAS-Bench-201.

        Raises:
            ObjectiveError: if fewer than two candidates have.
        """
        space = (candidates or default_candidates()).space
        whole = set(np.flatnonzero(np.isfinite(self.values).all(axis=1)).tolist())
        members = tuple(candidate for candidate in space.pool if candidate in whole)
        if len(members) < 2:
            raise ObjectiveError(
                f"a search needs two networks with {' and '.join(self.targets)}; "
                f"there are {len(members)} (representatives of their isomorphism class)"
            )
        return None if len(members) == len(space) else members


def truth_objective(
    accuracies: pd.DataFrame, words: Sequence[str], candidates: Candidates | None = None
) -> Tabular:
    """Return an objective of columns of a truth.

    Args:
        accuracies: the accuracies by published id or name, as a truth's ``targets`` returns them.
        words: the names of columns: ``clean``, ``fgsm@1``, ``fog@3``, ``mean corruption``.
        candidates: the networks; None for those of NAS-Bench-201.

    Raises:
        RankingError: if a name is unknown.
    """
    names = choose_targets(accuracies.columns, words)
    values = (candidates or default_candidates()).values(accuracies.filter(items=names))
    return Tabular(tuple(names), values.to_numpy(dtype=np.float64))
