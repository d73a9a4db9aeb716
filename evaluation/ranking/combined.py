"""The columns of combined scores: computed from the table of scores, never from networks."""

import json
import random
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from evaluation.ranking.combinations import FOREST, Combination
from evaluation.ranking.labels import printable
from evaluation.ranking.score_columns import RankingError, ScoreColumn
from evaluation.truths.targets import Target
from testbed.basis.errors import did_you_mean
from testbed.basis.foreign_text import quoted
from testbed.basis.seeding import derive_seed

__all__ = ["COMBINED", "combined_column"]

COMBINED = "combined"  # in the place of how weights were drawn
FOLDS = 5


def combined_column(
    combination: Combination, columns: Mapping[str, ScoreColumn], accuracies: pd.DataFrame
) -> tuple[ScoreColumn, str]:
    """Return the column of a combination, and a sentence that says what it was made on.

    Args:
        combination: what is made of what.
        columns: the columns that parts may name, by label.
        accuracies: all targets of the truth, by id; only its networks count.

    Raises:
        RankingError: if a part is unknown, or a column has the name already, or a forest has too
            few networks.
    """
    name = combination.name
    if name in columns or name in {column.identity[0] for column in columns.values()}:
        raise RankingError(f"--combine: a score is named {quoted(name)} already; take another name")
    parts = {label: _find(label, columns).values for label in combination.parts}
    table = pd.DataFrame(parts).filter(items=list(accuracies.index), axis="index").dropna()
    if len(table) < 2:
        raise RankingError(f"--combine {combination}: {len(table)} networks have all parts")
    if combination.rule == FOREST:
        values, fitted = _forest(combination, table, accuracies[combination.target])
    else:
        weights = np.array(list(combination.parts.values()))
        values, fitted = _RULES[combination.rule](table.to_numpy(float), weights), ""
    said = fitted or (
        "nothing is fitted" if combination.rule == "values"
        else f"ranks are among {len(table):,} networks, and nothing is fitted"
    )  # fmt: skip
    settings = json.dumps({"combined": str(combination), "on": said}, ensure_ascii=False)
    column = ScoreColumn(
        (name, COMBINED, "", settings), 0, pd.Series(values, table.index), {}, frozenset()
    )
    return column, f"{printable(str(combination), 300)}: {said}."


def _find(part: str, columns: Mapping[str, ScoreColumn]) -> ScoreColumn:
    fitting = [c for label, c in columns.items() if part in (label, c.identity[0])]
    if part in columns:
        return columns[part]
    if len(fitting) != 1:
        there = ", ".join(columns)
        what = "several scores fit" if fitting else "unknown score"
        raise RankingError(
            f"--combine: {what} {quoted(part)}{did_you_mean(part, columns)}; there are {there}"
        )
    return fitting[0]


def _ranks(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rank / m of each column, the largest first where its weight is negative."""
    return rankdata(values * np.sign(weights), axis=0) / len(values)


def _mean(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return _ranks(values, weights) @ np.abs(weights) / np.abs(weights).sum()


_RULES: dict[str, Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]] = {
    "log_ranks": lambda values, weights: np.log(_ranks(values, weights)) @ np.abs(weights),
    "ranks": _mean,
    "values": lambda values, weights: values @ weights,
}


def _forest(
    combination: Combination, table: pd.DataFrame, accuracies: pd.Series
) -> tuple[NDArray[np.float64], str]:
    """Return the prediction of each network by a forest that has not seen it, and what was seen."""
    from sklearn.ensemble import RandomForestRegressor

    target = accuracies.loc[table.index].to_numpy(float)
    known = np.flatnonzero(~np.isnan(target))
    count, seed = combination.count, combination.seed
    source = random.Random(derive_seed("forest", seed, count))
    order = source.sample(range(len(table)), len(table))
    folds = [np.array(order[k::FOLDS]) for k in range(FOLDS)]
    least = min(len(np.setdiff1d(known, fold)) for fold in folds)
    if not 2 <= count <= least:
        raise RankingError(
            f"--combine {combination}: a forest is fitted to 2 to {least:,} networks outside each "
            f"fifth of {len(table):,}; got n={count}"
        )
    features = rankdata(table.to_numpy(float), axis=0) / len(table)
    predicted = np.empty(len(table))
    for fold in folds:
        seen = source.sample(np.setdiff1d(known, fold).tolist(), count)
        model = RandomForestRegressor(100, random_state=source.getrandbits(32), n_jobs=1)
        predicted[fold] = model.fit(features[seen], target[seen]).predict(features[fold])
    return predicted, (
        f"fitted to {Target.parse(combination.target)} of {count:,} networks outside each fifth of "
        f"{len(table):,} (seed {seed}), so that no network is predicted by a forest that saw it; "
        "it has seen accuracies of this truth, and is no training-free score"
    )
