"""Which rows of a table of scores are looked at: ``images=digits,init=random``."""

import json
from collections.abc import Sequence

import pandas as pd

from evaluation.ranking.labels import printable
from evaluation.ranking.score_columns import BASELINES, RankingError
from testbed.basis.errors import did_you_mean
from testbed.spaces.registry import DEFAULT
from testbed.store.canonical import flat

__all__ = ["chosen_scores", "fitting_scores"]

COLUMNS = ("images", "init", "seed")
SHOWN = 12  # values in a message


def fitting_scores(
    scores: pd.DataFrame, given: bool, conditions: Sequence[str], space: str | None
) -> pd.DataFrame:
    """Return the scores; none if they would be the package's, of networks of another space.

    Args:
        scores: a table of one row for each score.
        given: whether a user gave it; else it is the package's.
        conditions: of ``--where``, which has nothing to choose from then.
        space: the key of the search space of the networks that are ranked; None if unknown.

    Raises:
        RankingError: if there are conditions and no scores.
    """
    if given or space == DEFAULT:
        return scores
    if conditions:
        raise RankingError("--where chooses among scores: add --scores FILE, of these networks")
    return scores.iloc[:0]


def chosen_scores(scores: pd.DataFrame, conditions: Sequence[str]) -> pd.DataFrame:
    """Return the rows that satisfy all conditions; a key that is given twice allows either value.

    A proxy that a key does not concern, as ``init`` does not concern the number of parameters,
    keeps its rows: those of proxies none of whose rows has the key.

    Args:
        scores: a table of one row for each score, as :func:`testbed.store.read_scores` returns.
        conditions: ``key=value`` each. Keys are images, init, seed, and the names of settings,
            such as batch_norm, cells or trained_on.name.

    Raises:
        RankingError: if a condition is none, a key or a value is not there, or no score but
            those of baselines is left.
    """
    if not conditions:
        return scores
    table = _facts(scores)
    wanted: dict[str, list[str]] = {}
    for condition in conditions:
        key, equals, value = (part.strip() for part in condition.partition("="))
        if not (key and equals and value):
            raise RankingError(
                f"--where takes key=value, separated by commas, such as images=digits,init=random; "
                f"got {printable(condition)!r}"
            )
        wanted.setdefault(_known(key, table), []).append(value)
    rows = pd.Series(True, index=scores.index)
    for key, values in wanted.items():
        rows &= _satisfying(scores["proxy"], table[key], key, values)
    left = scores.loc[rows]
    if not len(left) or set(left["proxy"]) <= set(BASELINES) < {*BASELINES, *scores["proxy"]}:
        raise RankingError(
            f"no score but those of baselines satisfies all of --where {','.join(conditions)}"
        )
    return left


def _facts(scores: pd.DataFrame) -> pd.DataFrame:
    """Return images, init, seed and each setting of every row as text; None where it has none."""
    flat = {text: _flat(text) for text in scores["settings"].dropna().unique()}
    names = dict.fromkeys(name for facts in flat.values() for name in facts)
    table = {
        name: [flat.get(text, {}).get(name) for text in scores["settings"]]
        for name in names
        if name not in COLUMNS
    }
    for name in COLUMNS:
        column = scores[name].astype("object")
        table[name] = [None if pd.isna(value) or value == "" else str(value) for value in column]
    return pd.DataFrame(table, index=scores.index, dtype="object")


def _flat(settings: str) -> dict[str, str]:
    try:
        facts = json.loads(settings)
    except (ValueError, RecursionError):
        return {}
    return flat(facts) if isinstance(facts, dict) else {}


def _known(key: str, table: pd.DataFrame) -> str:
    if key in table:
        return key
    there = [*COLUMNS, *sorted(set(map(str, table)) - set(COLUMNS))]
    names = ", ".join(map(printable, there))
    raise RankingError(
        f"unknown key {printable(key)!r} in --where{did_you_mean(key, there)}; the scores have "
        f"{names}"
    )


def _satisfying(
    proxies: pd.Series, column: pd.Series, key: str, values: Sequence[str]
) -> pd.Series:
    there = sorted(set(column.dropna()))
    allowed = set()
    for value in values:
        fitting = {known for known in there if _same(known, value)}
        if not fitting:
            some = ", ".join(map(printable, there[:SHOWN])) or "none"
            raise RankingError(
                f"no score has {key}={printable(value)}{did_you_mean(value, there)}; there is "
                f"{some}{', …' if len(there) > SHOWN else ''}"
            )
        allowed |= fitting
    concerned = set(proxies[column.notna()])
    return column.isin(list(allowed)) | ~proxies.isin(list(concerned))


def _same(known: str, value: str) -> bool:
    """Say whether a value is the one that is asked for: 1e-3 is .001, and True is true."""
    try:
        return float(known) == float(value)
    except ValueError:
        return known.lower() == value.lower()
