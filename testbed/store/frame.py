"""Tables with the same types wherever they were read from."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pandas as pd

from testbed.basis.foreign_text import described, shown
from testbed.store.errors import StoreError

__all__ = ["frame"]


def frame(columns: Mapping[str, Iterable[Any]], types: Mapping[str, str]) -> pd.DataFrame:
    """Return a table of Python values (or their text, as in a CSV file) with the given types.

    None, NaN and, but for text, the empty string are missing values. Columns that ``types``
    does not name are left out.

    Raises:
        StoreError: if a column is missing or holds a value that is not of its type.
    """
    missing = [name for name in types if name not in columns]
    if missing:
        raise StoreError(
            f"no column {', '.join(missing)}; expected {', '.join(types)}; "
            f"got {shown(', '.join(map(str, columns))) or 'none'}"
        )
    return pd.DataFrame({name: _column(name, columns[name], kind) for name, kind in types.items()})


def _column(name: str, values: Iterable[Any], kind: str) -> Any:
    # Value by value: pandas would pass a column of integers with gaps through float64, and a
    # 63-bit seed does not survive that.
    convert, converted = _CONVERTERS[kind], []
    for number, value in enumerate(values, start=1):
        # Not of arrays, whose comparisons are no truth values.
        plain = isinstance(value, float | str)
        absent = value is None or (plain and (value != value or (value == "" and kind != "string")))
        try:
            converted.append(None if absent else convert(value))
        except (TypeError, ValueError, OverflowError) as error:
            said = f"{described(value)} is not {kind}"
            raise StoreError(f"column {name}, row {number}: {said}") from error
    return pd.array(converted, dtype=kind) if kind != "float64" else _floats(converted)


def _floats(values: list[float | None]) -> Any:
    return pd.Series(
        [float("nan") if value is None else value for value in values], dtype="float64"
    )


def _text(value: Any) -> str:
    if type(value) not in (str, int):  # ids may be numbers; what else there is has no one spelling
        raise TypeError(type(value))
    return str(value)


def _integer(value: Any) -> int:
    if isinstance(value, float) and value != int(value):
        raise ValueError(value)
    number = int(_number(value))
    if not -(2**63) <= number < 2**63:
        raise OverflowError(number)
    return number


def _number(value: Any) -> Any:
    """Return what may be a number; True is none, nor what only Python or other scripts read."""
    if isinstance(value, bool):
        raise TypeError(value)
    if isinstance(value, str) and (not value.isascii() or "_" in value):
        raise ValueError(value)
    return value


def _boolean(value: Any) -> bool:
    text = str(value).lower()
    if text not in ("true", "false", "1", "0"):
        raise ValueError(value)
    return text in ("true", "1")


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "string": _text,
    "Int64": _integer,
    "float64": lambda value: float(_number(value)),
    "boolean": _boolean,
}
