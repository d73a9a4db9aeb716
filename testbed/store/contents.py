"""Rows of a file, which anybody may have changed, hold what a writer could have saved."""

import json
from collections.abc import Callable, Iterable

import pandas as pd

from testbed.basis.foreign_text import quoted
from testbed.store.columns import Column, Key
from testbed.store.errors import StoreError

__all__ = ["Check", "check_contents"]

# Finds the first row that contradicts itself: its position, and what is wrong with it.
Check = Callable[[pd.DataFrame], tuple[int, str] | None]


def check_contents(
    table: pd.DataFrame,
    columns: Iterable[Column],
    key: type[Key] | None,
    check: Check | None = None,
) -> None:
    """Check the cells of a table against the rules for those that are saved.

    Raises:
        StoreError: naming the first cell, by column and row, that breaks one.
    """
    for one in columns:
        if one.name not in table:
            continue
        cells = table[one.name]
        if one.least is not None:
            wrong = cells.notna() & ~cells.between(one.least, one.most).fillna(True)
            if wrong.any():
                _refuse(one, cells, wrong, one.range)
        if key is not None and (fault := _fault_of_names(one, cells, key)):
            _refuse(one, cells, cells == fault[0], fault[1])
    if check is not None and (found := check(table)):
        raise StoreError(f"row {found[0] + 1} is damaged: {found[1]}")


def _fault_of_names(one: Column, cells: pd.Series, key: type[Key]) -> tuple[object, str] | None:
    """Return the first value of a column that could not be in a key, and what it should be."""
    if one.name not in key.__dataclass_fields__ or one.kind != "string":
        return None
    for value in cells.dropna().unique():
        settings = one.name == "settings"
        fault = _fault_of_settings(str(value)) if settings else key.fault(one, value)
        if fault:
            return value, fault
    return None


def _fault_of_settings(text: str) -> str | None:
    try:
        right = isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        right = False
    return None if right else "a JSON object"


def _refuse(one: Column, cells: pd.Series, wrong: pd.Series, expected: str) -> None:
    number = int(wrong.fillna(False).to_numpy(dtype=bool).argmax())
    got = quoted(str(cells.iloc[number]))
    raise StoreError(f"column {one.name}, row {number + 1}: expected {expected}; got {got}")
