"""The results of many runs: tables of means over runs with their standard errors."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evaluation.search.pareto import front, hypervolume

__all__ = [
    "MILESTONES",
    "TABLE",
    "best_after",
    "best_networks",
    "common_front",
    "found",
    "optimal",
    "optimum",
]

# The columns of table 1 of Jung, Lukasik and Keuper, ICLR 2023.
TABLE = ("clean", "fgsm@1", "pgd@1", "apgd@1", "square@1", "mean corruption")
MILESTONES = (10, 50, 300)


def found(queries: pd.DataFrame, accuracies: pd.DataFrame) -> pd.DataFrame:
    """Return the mean accuracies of the networks that the runs ended with.

    Args:
        queries: the trajectories, see `evaluation.search.job.trajectories`.
        accuracies: the accuracies by candidate, one column for each target.

    Returns:
        One row for each algorithm and target: algorithm, target, mean, standard_error (NaN for
        one run), runs. Networks that lack a value are left out of its mean.
    """
    last = queries.groupby(["algorithm", "run"], sort=False).tail(1)
    values = accuracies.reindex(last["incumbent"]).set_index(last["algorithm"])
    rows = []
    for algorithm, part in values.groupby(level=0, sort=False):
        for target in part:
            rows.append((algorithm, target, *_mean(part[target].to_numpy())))
    return pd.DataFrame(rows, columns=["algorithm", "target", "mean", "standard_error", "runs"])


def optimum(accuracies: pd.DataFrame, members: Sequence[int]) -> pd.Series:
    """Return the largest value of each column among the candidates, each of some network."""
    return accuracies.reindex(members).max()


def best_networks(queries: pd.DataFrame) -> pd.DataFrame:
    """Return the best candidate of each algorithm, over all its runs: algorithm, incumbent, best.

    Among equals it is the one of the first run.
    """
    last = queries.groupby(["algorithm", "run"], sort=False).tail(1).dropna(subset=["best"])
    first = last.sort_values("best", ascending=False, kind="stable").drop_duplicates("algorithm")
    return first.sort_index().filter(items=["algorithm", "incumbent", "best"])


def best_after(queries: pd.DataFrame, milestones: Sequence[int] = MILESTONES) -> pd.DataFrame:
    """Return the best value after some queries: algorithm, query, mean, standard_error, runs.

    The last query of the shortest run is added to the milestones that it reaches.
    """
    last = min(len(run) for _, run in queries.groupby(["algorithm", "run"]))
    wanted = sorted({step for step in milestones if step < last} | {last})
    rows = []
    for algorithm, part in queries.groupby("algorithm", sort=False):
        for step in wanted:
            best = part.loc[part["query"] == step, "best"]
            rows.append((algorithm, step, *_mean(best.to_numpy(dtype=np.float64))))
    return pd.DataFrame(rows, columns=["algorithm", "query", "mean", "standard_error", "runs"])


def optimal(scores: pd.DataFrame, members: Sequence[int]) -> pd.DataFrame:
    """Return the scores of those candidates that no other dominates."""
    chosen = scores.reindex(members)
    return chosen.iloc[front(chosen.to_numpy())]


def common_front(
    queries: pd.DataFrame, scores: pd.DataFrame, members: Sequence[int] | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the front of what all runs asked for together, and each algorithm's share in it.

    Args:
        queries: the trajectories, see `evaluation.search.job.trajectories`.
        scores: the scores by candidate, one column for each objective.
        members: the whole space if its scores are known, to compare with; otherwise None.

    Returns:
        The scores of the front, by candidate; and one row for each algorithm: on_front (the
        number of its candidates among the front of ``members``, or of all runs), of (the size of
        that front), and for two objectives the hypervolume above 0.
    """
    together = optimal(scores, queries["candidate"].drop_duplicates().tolist())
    best = set((together if members is None else optimal(scores, members)).index)
    rows = []
    for algorithm, part in queries.groupby("algorithm", sort=False):
        own = scores.reindex(part["candidate"].unique())
        points = own.to_numpy()
        equal = _equal(scores, best, own.index)
        area = hypervolume(points) if points.shape[1] == 2 else np.nan
        rows.append((algorithm, equal, len(best), area))
    return together, pd.DataFrame(rows, columns=["algorithm", "on_front", "of", "hypervolume"])


def _equal(scores: pd.DataFrame, best: set[int], own: Sequence[int] | pd.Index) -> int:
    """Return how many points of a front are among candidates; equal ones count once."""
    points = {tuple(row) for row in scores.reindex(list(best)).to_numpy().tolist()}
    return len(points & {tuple(row) for row in scores.reindex(own).to_numpy().tolist()})


def _mean(values: NDArray[np.float64]) -> tuple[float, float, int]:
    values = values[np.isfinite(values)]
    if not len(values):
        return np.nan, np.nan, 0
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return float(values.mean()), float(error), len(values)
