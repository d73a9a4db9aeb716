"""Numbers of a ranking in words: for hover texts and cells."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from evaluation.report.names import plain
from testbed.command.numbers import PAGE

__all__ = ["bounds", "known", "records", "tau_in_words"]


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as dictionaries by the names of its columns."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def known(row: Mapping[str, Any], name: str) -> float | None:
    """Return a number of a row; None if the table has no such column or it is undefined."""
    value = row.get(name)
    return None if value is None or value != value else float(value)


def bounds(row: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return the 95 % interval of a row; None if it is undefined."""
    low, high = known(row, "low"), known(row, "high")
    return None if low is None or high is None else (low, high)


def tau_in_words(row: Mapping[str, Any]) -> str:
    """Return a proxy's τ with a target, its interval, ceiling, ties and n on one line."""
    tau = known(row, "tau")
    head = f"{row['label']} – {plain(row['target'])}: "
    if tau is None:
        return head + "τ is undefined: all scores or all accuracies are equal"
    parts = [f"τ = {PAGE.signed(tau)}"]
    if (limits := bounds(row)) is not None:
        parts.append(f"95 % interval {PAGE.signed(limits[0])} to {PAGE.signed(limits[1])}")
    if (ceiling := known(row, "ceiling")) is not None:
        parts.append(f"ceiling {PAGE.signed(ceiling)}")
    parts += [f"{float(row['tie_fraction']):.0%} of pairs tied", f"n = {int(row['n']):,}"]
    return head + ", ".join(parts)
