"""The scores of a store as proxies of a search, which cost no query."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evaluation.ranking.coverage import together
from evaluation.ranking.score_columns import (
    RankingError,
    ScoreColumn,
    baseline_columns,
    labels,
    score_columns,
)
from evaluation.search.base import Proxy
from evaluation.search.candidates import Candidates, default_candidates
from testbed.basis.errors import did_you_mean

__all__ = ["ProxyScores", "all_proxies", "choose_proxies", "top_one", "top_ones"]


@dataclass(frozen=True, eq=False)
class ProxyScores:
    """The scores of every candidate by one proxy, larger promising more.

    Attributes:
        name: the name of the score column, with a leading − if the sign was reversed.
        values: the scores of all candidates, (size of the space,); NaN where there is none.
    """

    name: str
    values: NDArray[np.float64]

    def proxy(self) -> Proxy:
        """Return a function from a candidate to its score, or to −∞ if there is none."""
        return np.where(np.isfinite(self.values), self.values, -np.inf).tolist().__getitem__


def all_proxies(
    scores: pd.DataFrame, candidates: Candidates | None = None
) -> dict[str, ProxyScores]:
    """Return every score column of a store, by its label, the baselines first.

    Args:
        scores: a table of one row for each score, as `testbed.store.read_scores` returns.
        candidates: the networks of the search; None for those of NAS-Bench-201.

    Raises:
        RankingError: if the table lacks columns of such a table.
    """
    candidates = candidates or default_candidates()
    ids = candidates.labels[list(candidates.space.pool)].tolist()
    columns, _ = score_columns(scores, roster=candidates.roster)
    baselines = baseline_columns(ids, candidates.roster)
    closed = [column.identity[0] for column in baselines]
    columns = [column for column in columns if column.identity[0] not in closed]
    names = closed + labels([column.identity for column in columns])
    return {
        name: ProxyScores(name, _by_candidate(column, candidates))
        for name, column in zip(names, [*baselines, *columns], strict=True)
    }


def choose_proxies(
    scores: pd.DataFrame, words: Sequence[str], candidates: Candidates | None = None
) -> list[ProxyScores]:
    """Return the proxies that are named; ``-name`` means that smaller promises more.

    Where several columns fit a name, those that too few networks have do not count, see
    :func:`~evaluation.ranking.coverage.together`.

    Raises:
        RankingError: if a word is the name of no column, or of several.
    """
    known, chosen = all_proxies(scores, candidates) if words else {}, []
    for word in words:
        sign, name = (-1, word[1:]) if word.startswith("-") else (1, word)
        fitting = [label for label in known if label == name or label.startswith(f"{name} (")]
        networks = [np.flatnonzero(np.isfinite(known[label].values)) for label in fitting]
        kept = together([ids.tolist() for ids in networks])
        fitting = [label for label, keep in zip(fitting, kept, strict=True) if keep]
        if not known:
            raise RankingError(
                f"there are no scores of these networks, so no proxy {name!r}: add --scores FILE, "
                "as robustness-proxies compute writes it"
            )
        if len(fitting) != 1:
            there = ", ".join(repr(label) for label in (fitting or known))
            raise RankingError(
                f"{'several proxies fit' if fitting else 'unknown proxy'} {name!r}; "
                f"name one of {there}, with a - in front if smaller promises more"
                f"{', or choose with --where' if fitting else did_you_mean(name, known)}"
            )
        values = known[fitting[0]].values
        chosen.append(ProxyScores(fitting[0] if sign > 0 else f"−{fitting[0]}", sign * values))
    return chosen


def top_one(proxy: ProxyScores, values: NDArray[np.float64]) -> tuple[float, int]:
    """Return the value of the network with the highest score, and how many share that score.

    Where several do, it is the mean of their values: that of a random one of them on average.

    Args:
        proxy: the scores.
        values: the values of all candidates, (size of the space,); NaN where there is none.
    """
    comparable = np.isfinite(proxy.values) & np.isfinite(values)
    if not comparable.any():
        return float("nan"), 0
    first = comparable & (proxy.values == proxy.values[comparable].max())
    return float(values[first].mean()), int(first.sum())


def top_ones(
    scores: pd.DataFrame, values: NDArray[np.float64], candidates: Candidates | None = None
) -> pd.DataFrame:
    """Return the values of the networks with the highest and the lowest score of each proxy.

    Returns:
        A table of proxy, n (networks with score and value), highest and lowest (see `top_one`),
        and tied_highest and tied_lowest, the numbers of networks that share that score.
    """
    rows = []
    for name, proxy in all_proxies(scores, candidates).items():
        highest, many = top_one(proxy, values)
        lowest, few = top_one(ProxyScores(name, -proxy.values), values)
        count = int((np.isfinite(proxy.values) & np.isfinite(values)).sum())
        rows.append((name, count, highest, lowest, many, few))
    columns = ["proxy", "n", "highest", "lowest", "tied_highest", "tied_lowest"]
    return pd.DataFrame(rows, columns=columns)


def _by_candidate(column: ScoreColumn, candidates: Candidates) -> NDArray[np.float64]:
    values = column.values.reindex(candidates.labels).to_numpy(dtype=np.float64)
    # Members of a class are not always the same function: only its representative counts.
    representative = np.zeros(len(values), dtype=bool)
    representative[list(candidates.space.pool)] = True
    return np.where(representative, values, np.nan)
