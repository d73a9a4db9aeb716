"""Cells of CSV files that a spreadsheet would take for formulas, and run.

A cell that begins with ``=``, ``+``, ``-`` or ``@`` (or a tab or a carriage return, which are read
over) and is no number gets an apostrophe in front, as a user would type it; on reading it is
taken off. An apostrophe that is there before gets another, so that every text comes back.
"""

import re
from typing import Any

import pandas as pd

__all__ = ["defused", "restored"]

_DANGEROUS = re.compile(r"'*[=+\-@\t\r]")


def defused(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose texts, and names of columns, no spreadsheet takes for formulas."""
    texts = table.select_dtypes(include=["object", "string", "category"])
    changed = {name: texts[name].astype("object").map(_defused) for name in texts}
    return table.assign(**{str(k): v for k, v in changed.items()}).rename(columns=_defused)


def restored(cell: str) -> str:
    """Return the text of a cell that may have been defused."""
    return cell[1:] if cell.startswith("'") and _DANGEROUS.match(cell) else cell


def _defused(cell: Any) -> Any:
    if isinstance(cell, str) and _DANGEROUS.match(cell) and not _is_number(cell):
        return f"'{cell}"
    return cell


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    # Python alone reads these.
    return text.isascii() and "_" not in text and text == text.strip()
