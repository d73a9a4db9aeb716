"""The columns of a table, stated once: at the fields of the keys and rows that fill it."""

import hashlib
import json
import math
import operator
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, fields, replace
from functools import cached_property, lru_cache
from typing import Any, ClassVar

from testbed.basis.foreign_text import described
from testbed.store.canonical import recanonical, storable
from testbed.store.errors import StoreError

__all__ = ["NEEDED", "Column", "Key", "column", "columns_of", "convert", "name_fault"]

_SQL = {"string": "TEXT", "Int64": "INTEGER", "float64": "REAL", "boolean": "INTEGER"}
# SQLite stores a numpy number as bytes, so only Python's own types go in.
_PLAIN: dict[str, Callable[[Any], Any]] = {
    "string": lambda value: storable(str(value)) or None,
    "Int64": operator.index,
    "float64": float,
    "boolean": bool,
}


NEEDED = object()
LONGEST_NAME = 1000  # a genotype of DARTS takes 700


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: of the column and of the field that fills it.
        kind: its type in pandas: ``string``, ``Int64``, ``float64`` or ``boolean``.
        constraint: in SQL; empty where a cell may be missing.
        pack: makes text of the field's value; None where that is a plain value.
        later: whether there are files without it; it is added to them, and missing there.
        after: the column that it stands behind, if that is not the field before it.
        default: what is meant where a table that others wrote lacks the column; `NEEDED` where
            that is refused.
    """

    name: str
    kind: str
    constraint: str = "NOT NULL"
    pack: Callable[[Any], str] | None = None
    later: bool = False
    after: str | None = None
    default: Any = NEEDED

    @property
    def sql(self) -> str:
        """The definition of the column in SQL."""
        return f"{self.name} {_SQL[self.kind]} {self.constraint}".rstrip()

    @property
    def optional(self) -> bool:
        """Whether a cell may be missing."""
        return not self.constraint

    def plain(self, value: Any) -> Any:
        """Return a value as Python's own type, or None where it is missing and may be."""
        return None if value is None and self.optional else _PLAIN[self.kind](value)

    def cell(self, record: Any) -> Any:
        """Return what the table holds of a record."""
        value = getattr(record, self.name)
        return value if value is None or self.pack is None else self.pack(value)


def column(
    kind: str,
    *,
    null: bool = False,
    pack: Callable[[Any], str] | None = None,
    later: bool = False,
    after: str | None = None,
) -> dict[str, Any]:
    """Return the metadata that makes a field of a dataclass a column; see `Column`.

    ``flops: int | None = field(default=None, metadata=column("Int64", later=True))`` is all
    that a new column takes.
    """
    constraint = "" if null or later else "NOT NULL"
    return {"column": Column("", kind, constraint, pack, later, after)}


@lru_cache
def columns_of(*records: type) -> tuple[Column, ...]:
    """Return the columns of dataclasses, in the order of the table."""
    found = [
        replace(field.metadata["column"], name=field.name, default=_default(field))
        for record in records
        for field in fields(record)
        if "column" in field.metadata
    ]
    for moved in [one for one in found if one.after]:
        found.remove(moved)
        found.insert(1 + [one.name for one in found].index(str(moved.after)), moved)
    return tuple(found)


def _default(field: Field) -> Any:
    """Return the default of a field as a table has it."""
    if field.default is not MISSING:
        value = field.default
    elif field.default_factory is not MISSING:
        value = field.default_factory()
    else:
        return NEEDED
    pack = field.metadata["column"].pack
    return value if value is None or pack is None else pack(value)


def convert(record: Any, what: str) -> None:
    """Turn the fields of a frozen record that are plain columns into Python's own types.

    Raises:
        StoreError: naming the field of ``what`` that cannot be turned, so that the fault shows
            where the record was made and not when it is saved.
    """
    for one in columns_of(type(record)):
        if one.pack is not None:
            continue
        value = getattr(record, one.name)
        try:
            object.__setattr__(record, one.name, one.plain(value))
        except (TypeError, ValueError, RuntimeError) as error:
            raise StoreError(f"{one.name} of {what} cannot be {value!r}: {error}") from error


@dataclass(frozen=True)
class Key:
    """A base of keys: frozen dataclasses of columns, one of which is ``settings``.

    Files that were written long ago are resumed by the digest, so that a key keeps its fields
    and their order for ever; what is new stands in the settings, or in the row.

    Raises:
        StoreError: if a name is not printable text, or a field not of its kind.
    """

    what: ClassVar[str]  # it is the key of, in messages
    may_be_empty: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for one in columns_of(type(self)):
            value = getattr(self, one.name)
            if value is None and one.optional:
                continue
            if one.name == "settings":
                _check_settings(value)
            elif fault := self._fault(one, value):
                raise StoreError(
                    f"the {one.name} of {self.what} is {fault}; got {described(value, 200)}"
                )

    def _fault(self, one: Column, value: Any) -> str | None:
        """Return what a value should have been; None if it is that."""
        if one.kind == "Int64":
            right = type(value) is int and -(2**63) <= value < 2**63
            return None if right else "None or a 64-bit int"
        if one.kind == "float64":
            right = type(value) is float and 0 <= value < math.inf
            return None if right else "None or a float from 0"
        # Other empty names would be indistinguishable from None in a CSV file.
        return name_fault(value, one.name in self.may_be_empty)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all fields, in hexadecimal: the primary key of the result."""
        values = [getattr(self, field.name) for field in fields(self)]
        return hashlib.sha256(json.dumps(values, separators=(",", ":")).encode()).hexdigest()


def name_fault(value: Any, empty: bool = False) -> str | None:
    """Return what a name should have been; None if it is one, or empty where that is allowed."""
    if isinstance(value, str) and value.isprintable() and (value or empty):
        return None if len(value) <= LONGEST_NAME else f"at most {LONGEST_NAME:,} characters"
    return "printable text"


def _check_settings(settings: Any) -> None:
    if isinstance(settings, str):
        short = len(settings) <= LONGEST_NAME
        if (_seen_before if short else _is_canonical)(settings):
            return
    raise StoreError(f"settings are canonical JSON; got {described(settings, 200)}: use make")


def _is_canonical(settings: str) -> bool:
    return settings == recanonical(settings)


# The results of a run share a few settings, which a large file would have parsed a million times.
_seen_before = lru_cache(maxsize=4096)(_is_canonical)
