"""Which results of a store are meant, where it holds several for one network and target.

A result depends on its whole key. A ranking takes one number for each network and target, so what
remains of the key must be the same for all of them: results of two image counts, two recipes or
two strengths of one attack are refused, and the message says by what to choose.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from evaluation.truths.facts import TruthError
from testbed.basis.errors import did_you_mean
from testbed.basis.foreign_text import quoted, shown
from testbed.files.strict_json import parse_json
from testbed.store.canonical import flat

__all__ = ["chosen", "conditions", "facts_of", "one_of_each"]

COLUMNS = ("init", "seed")
SHOWN = 8  # values in a message
SHARED = ("init", "training", "split", "count", "fingerprint", "channels", "cells")
PREFIXES = ("recipe.", "trained_on.")


def conditions(words: Sequence[str]) -> dict[str, list[str]]:
    """Read ``key=value`` each; a key that is given twice allows either value.

    Raises:
        TruthError: if a word is no condition.
    """
    wanted: dict[str, list[str]] = {}
    for word in words:
        key, equals, value = (part.strip() for part in word.partition("="))
        if not (key and equals and value):
            raise TruthError(
                "--truth-where takes key=value, separated by commas, such as init=trained,seed=0; "
                f"got {quoted(word)}"
            )
        wanted.setdefault(key, []).append(value)
    return wanted


def facts_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Return init, seed and each setting of every row as text; None where it has none.

    A setting of an object is named with a dot, such as ``recipe.epochs``.
    """
    facts = {text: flat(_object(text)) for text in rows["settings"].unique()}
    names = dict.fromkeys(name for some in facts.values() for name in some)
    table = {
        name: [facts[text].get(name) for text in rows["settings"]]
        for name in names
        if name not in COLUMNS
    }
    for name in COLUMNS:
        cells = rows[name].astype("object")
        table[name] = [None if pd.isna(value) or value == "" else str(value) for value in cells]
    return pd.DataFrame(table, index=rows.index, dtype="object")


def chosen(facts: pd.DataFrame, wanted: Mapping[str, Sequence[str]], where: str) -> pd.Series:
    """Return which rows satisfy all conditions; rows without a setting stay, as clean ones do.

    Args:
        facts: as `facts_of` returns them, with a column ``measure``.
        wanted: the allowed values by key.
        where: what they are read from, as messages begin.

    Raises:
        TruthError: if a key or a value is not there, or no row is left.
    """
    rows = pd.Series(True, index=facts.index)
    for key, values in wanted.items():
        if key not in facts:
            there = sorted(map(str, facts))
            raise TruthError(
                f"{where}: unknown key {quoted(key)} in --truth-where{did_you_mean(key, there)}; "
                f"the results have {shown(', '.join(there), 600)}"
            )
        column, there = facts[key], sorted(set(facts[key].dropna()))
        allowed = {known for known in there for value in values if _same(known, value)}
        if key == "training" and "adversarial" in values:
            allowed |= set(there) - {"normal", "unknown"}
        if not allowed:
            raise TruthError(
                f"{where}: no result has {key}={shown(values[0])}"
                f"{did_you_mean(values[0], there)}; there is {_some(there)}"
            )
        # A measure none of whose results has the setting is not concerned.
        concerned = column.notna().groupby(facts["measure"]).transform("any")
        rows &= column.isin(list(allowed)) | ~concerned
    if not rows.any():
        said = ",".join(f"{key}={value}" for key, values in wanted.items() for value in values)
        raise TruthError(f"{where}: no result satisfies all of --truth-where {shown(said)}")
    return rows


def one_of_each(facts: pd.DataFrame, where: str, ignored: Sequence[str] = ()) -> None:
    """Raise TruthError if results differ in more than network, seed, measure and level.

    Args:
        facts: as `facts_of` returns them, with the columns ``network`` and ``measure``.
        where: what they are read from, as the message begins.
        ignored: keys in which they may differ.
    """
    fixed = ("network", "seed", "measure", *ignored)
    kinds = [(str(measure), rows) for measure, rows in facts.groupby("measure")]
    found: list[tuple[str, str]] = []
    for name in (str(name) for name in facts if name not in fixed):
        # An attack has settings of its own; what the networks and the images are, all share.
        shared = name in SHARED or name.startswith(PREFIXES)
        for measure, rows in [("", facts)] if shared else kinds:
            values = rows[name].fillna("none").astype(str)
            if values.nunique() > 1:
                networks = dict(rows["network"].groupby(values).nunique())
                said = ", ".join(
                    f"{shown(str(value), 60)} ({count:,} networks)"
                    for value, count in list(networks.items())[:SHOWN]
                )
                found.append((name, f"{name}{f' of {measure}' if measure else ''}: {said}"))
    if not found:
        return
    names = list(dict.fromkeys(name for name, _ in found))
    raise TruthError(
        f"{where}: expected one result for each network, target and seed, found results that "
        f"differ in {'; '.join(said for _, said in found[:SHOWN])}: choose by --truth-where, "
        f"{names[0]}=… for instance"
    )


def _object(text: Any) -> dict[str, Any]:
    found = parse_json(str(text), "settings", TruthError)
    return found if isinstance(found, dict) else {}


def _same(known: str, value: str) -> bool:
    """Say whether a value is the one that is asked for: 1e-3 is .001, and True is true."""
    try:
        return float(known) == float(value)
    except ValueError:
        return known.lower() == value.lower()


def _some(values: Sequence[str]) -> str:
    more = ", …" if len(values) > SHOWN else ""
    return (", ".join(shown(value, 60) for value in values[:SHOWN]) or "none") + more
