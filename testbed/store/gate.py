"""What a table of results must hold that others may have written, or changed: checked on reading.

Names are as the store would write them; numbers are in their ranges; a result is there once, and
does not contradict itself.
"""

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd

from testbed.basis.foreign_text import described
from testbed.basis.ranges import COUNT, EPSILON, FRACTION, SECONDS, Range
from testbed.files.names import fault_of_file_name
from testbed.files.strict_json import parse_json
from testbed.store.canonical import recanonical
from testbed.store.columns import name_fault
from testbed.store.errors import StoreError
from testbed.store.robustness import ROBUSTNESS
from testbed.store.scores import SCORES
from testbed.store.table import Table

__all__ = ["checked"]

NAMES = ("network", "proxy", "init", "images", "measure")
MAY_BE_EMPTY = {"scores": ("init",), "robustness": (), "failures": ("init",)}
RANGES: dict[str, Range] = {
    "level": EPSILON,
    "accuracy": FRACTION,
    "seconds": SECONDS,
    # A mean of probabilities may exceed 1 by rounding.
    "confidence_label": Range("a probability in [0, 1]", most=1 + 1e-9),
    "confidence_prediction": Range("a probability in [0, 1]", most=1 + 1e-9),
    "count": Range("a number of images, from 1", least=1, most=COUNT.most, whole=True),
    "gradients": COUNT,
    "queries": COUNT,
    "iterations": COUNT,
}


def checked(rows: pd.DataFrame, table: Table) -> pd.DataFrame:
    """Return rows that were read, their settings in canonical JSON.

    Args:
        rows: with the columns and types of the table.
        table: the scores, the robust accuracies, or the failures.

    Raises:
        StoreError: naming the column and the row that cannot be right.
    """
    for name in NAMES:
        if name in rows:
            empty = name in MAY_BE_EMPTY[table.name]
            missing = next(one.optional for one in table.columns if one.name == name)
            _each(
                rows, name, lambda cell, e=empty: name_fault(cell, e), None if missing else "text"
            )
    if "measure" in rows:
        _each(rows, "measure", fault_of_file_name, "text" if table is ROBUSTNESS else None)
    for name, kind in RANGES.items():
        if name in rows:
            optional = name in ("level", "confidence_label", "confidence_prediction")
            needed = table is ROBUSTNESS and not optional
            _each(rows, name, lambda cell, k=kind: _out_of(cell, k), kind.words if needed else None)
    free = table is SCORES
    settings = _each(rows, "settings", lambda text: _settings(text, free), "settings", keep=True)
    rows = rows.assign(settings=rows["settings"].map(settings).astype("string"))
    if table is ROBUSTNESS:
        _check_robustness(rows, table)
    return rows


def _each(
    rows: pd.DataFrame, name: str, look: Callable[[Any], str | None], needed: str | None,
    keep: bool = False,
) -> dict[Any, str]:  # fmt: skip
    """Look at each value of a column once; what is found is a fault, or with ``keep`` is kept."""
    cells, found = rows[name], {}
    if needed and cells.isna().any():
        raise _wrong(rows, name, cells.isna(), f"expected {needed}, found none")
    for cell in cells.dropna().unique():
        plain = cell.item() if isinstance(cell, np.generic) else cell
        try:
            said = look(plain)
        except StoreError as error:
            raise _wrong(rows, name, cells == cell, str(error)) from error
        if keep:
            found[cell] = said
        elif said is not None:
            raise _wrong(rows, name, cells == cell, f"expected {said}, found {described(plain)}")
    return found


def _wrong(rows: pd.DataFrame, name: str, where: Any, said: str) -> StoreError:
    place = int(np.flatnonzero(where.fillna(False).to_numpy(dtype=bool))[0])
    return StoreError(f"column {name}, row {place + 1}: {said}")


def _out_of(value: Any, kind: Range) -> str | None:
    return None if kind.holds(value) else kind.words


def _settings(text: str, free: bool) -> str:
    """Return settings in canonical JSON; those of a user's own scores may be any short text."""
    if free and not text.lstrip().startswith("{"):
        if (fault := name_fault(text, empty=True)) is not None:
            raise StoreError(f"expected {fault} or a JSON object, found {described(text)}")
        return text
    return recanonical(text)


def _check_robustness(rows: pd.DataFrame, table: Table) -> None:
    for columns in (["digest"], list(table.order)):
        if (twice := rows.duplicated(columns)).any():
            raise _wrong(rows, columns[0], twice, "expected each result once, found it again")
    for name in ("warnings", "cross_warnings"):
        _each(rows, name, _texts, "a JSON list of texts")
    cells: Iterable[Any] = zip(
        *(rows[name] for name in ("robust", "count", "accuracy", "confusion")), strict=True
    )
    for number, cell in enumerate(cells, start=1):
        if (fault := _contradiction(*cell)) is not None:
            raise StoreError(f"row {number}: {fault}")


def _texts(text: str) -> str | None:
    found = parse_json(text, "it", StoreError)
    right = isinstance(found, list) and all(isinstance(one, str) for one in found)
    return None if right else "a JSON list of texts"


def _contradiction(robust: str, count: int, accuracy: float, confusion: Any) -> str | None:
    """Return what one result says against itself."""
    try:
        packed = np.frombuffer(base64.b64decode(robust, validate=True), dtype=np.uint8)
    except (binascii.Error, ValueError, TypeError):
        return f"expected images packed in base64 as robust, found {described(robust)}"
    if len(packed) != -(-count // 8):
        return f"expected {count:,} images as robust, found {8 * len(packed):,}"
    right = int(np.unpackbits(packed, count=count).sum())
    if abs(right - accuracy * count) > 1e-6 * count:
        return f"accuracy {accuracy:g} contradicts {right:,} robust images of {count:,}"
    if pd.isna(confusion):
        return None
    matrix = parse_json(confusion, "confusion", StoreError)
    square = isinstance(matrix, list) and all(
        isinstance(row, list) and len(row) == len(matrix) and all(map(COUNT.holds, row))
        for row in matrix
    )
    if not square:
        return f"expected a square matrix of counts as confusion, found {described(matrix)}"
    total, diagonal = sum(map(sum, matrix)), sum(row[i] for i, row in enumerate(matrix))
    if (diagonal, total) != (right, count):
        return f"a confusion of {diagonal:,} of {total:,} contradicts {right:,} of {count:,}"
    return None
