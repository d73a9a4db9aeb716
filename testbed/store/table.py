"""A table of the store: its SQL, from its columns."""

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import pandas as pd

from testbed.basis.foreign_text import shown
from testbed.store.columns import NEEDED, Column, Key, columns_of
from testbed.store.errors import StoreError
from testbed.store.frame import frame

__all__ = ["BLOCK", "Result", "Row", "Table"]

BLOCK = 10_000  # rows that are in memory at a time
_DIGEST = Column("digest", "string", "PRIMARY KEY")
_RUN = Column("run", "Int64", "NOT NULL REFERENCES runs (id)", default=None)


class Row(Protocol):
    """A row and its key."""

    @property
    def key(self) -> Key:
        """What the result depends on."""
        ...


class Result(Row, Protocol):
    """A row that has one value for ever."""

    def contradiction(self, stored: Mapping[str, Any]) -> str | None:
        """Return what the result is and was if the stored one of its key differs, else None."""
        ...


@dataclass(frozen=True)
class Table:
    """A table of results, or of runs. The caller of its methods has the transaction.

    Attributes:
        name: of the table.
        columns: in the order of the table; the first one is its primary key.
        order: the columns by which rows are sorted when they are read.
        hidden: columns that are not read.
    """

    name: str
    columns: tuple[Column, ...]
    order: tuple[str, ...]
    hidden: tuple[str, ...] = ()

    @staticmethod
    def of(name: str, key: type[Key], row: type, hidden: Iterable[str] = ()) -> "Table":
        """Return the table of rows, each with a key, its digest and the run that found it."""
        columns = (_DIGEST, *columns_of(key, row), _RUN)
        return Table(name, columns, tuple(c.name for c in columns_of(key)), tuple(hidden))

    @cached_property
    def types(self) -> dict[str, str]:
        """The type in pandas of every column that is read."""
        return {one.name: one.kind for one in self.columns if one.name not in self.hidden}

    @property
    def create(self) -> str:
        """SQL that makes the table."""
        lines = ",\n".join(f"    {one.sql}" for one in self.columns)
        # An integer key is the row's number already.
        end = "" if self.columns[0].kind == "Int64" else " WITHOUT ROWID"
        return f"CREATE TABLE {self.name} (\n{lines}\n){end};"

    def changes(self, connection: sqlite3.Connection) -> list[str]:
        """Return SQL that adds what an older file lacks of the table; what is there stays."""
        there = self._there(connection)
        missing = [one for one in self.columns if one.later and one.name not in there]
        added = [f"ALTER TABLE {self.name} ADD COLUMN {one.sql};" for one in missing]
        return added if there else [self.create]

    def add(self, connection: sqlite3.Connection, run: int, row: Result) -> bool:
        """Add a row, unless one of its key is there; return whether it was new.

        Raises:
            StoreError: if another result is there.
        """
        cells = self._row(run, row)
        if self.insert(connection, cells, "ON CONFLICT (digest) DO NOTHING").rowcount == 1:
            return True
        query = f"SELECT {', '.join(cells)} FROM {self.name} WHERE digest = ?"
        found = connection.execute(query, (row.key.digest,)).fetchone()
        stored = dict(zip(cells, found, strict=True))
        if fault := row.contradiction(stored):
            raise StoreError(
                f"{fault} (that was run {stored['run']}): a result must depend on its key alone. "
                "If the code has changed, write to a new file"
            )
        return False

    def put(self, connection: sqlite3.Connection, run: int, row: Row) -> None:
        """Add a row in place of the one of its key that may be there."""
        self.replace(connection, self._row(run, row))

    def replace(self, connection: sqlite3.Connection, cells: Mapping[str, Any]) -> None:
        """Add cells by column, in place of the row of their digest that may be there."""
        taken = ", ".join(f"{name} = excluded.{name}" for name in cells)
        self.insert(connection, cells, f"ON CONFLICT (digest) DO UPDATE SET {taken}")

    def remove(self, connection: sqlite3.Connection, digests: Iterable[str]) -> None:
        """Remove the rows of these digests that are there."""
        query = f"DELETE FROM {self.name} WHERE digest = ?"
        connection.executemany(query, [(digest,) for digest in digests])

    def _row(self, run: int, row: Row) -> dict[str, Any]:
        """Return the cells of a row by column."""
        digest, *columns, _ = self.columns
        cells: dict[str, Any] = {digest.name: row.key.digest}
        cells |= {c.name: c.cell(row.key if c.name in self.order else row) for c in columns}
        return cells | {_RUN.name: run}

    def insert(
        self, connection: sqlite3.Connection, cells: Mapping[str, Any], conflict: str = ""
    ) -> sqlite3.Cursor:
        """Add cells by column."""
        marks = ", ".join("?" * len(cells))
        query = f"INSERT INTO {self.name} ({', '.join(cells)}) VALUES ({marks}) {conflict}"
        return connection.execute(query, list(cells.values()))

    def count(self, connection: sqlite3.Connection) -> int:
        """Return how many rows there are."""
        if not self._there(connection):
            return 0
        ((count,),) = connection.execute(f"SELECT count(*) FROM {self.name}")
        return count

    def digests(
        self, connection: sqlite3.Connection, among: Collection[str] | None = None
    ) -> set[str]:
        """Return the digests of all rows, or which of these are there."""
        if not self._there(connection):
            return set()
        where, values = _among("digest", among)
        query = f"SELECT digest FROM {self.name}{where}"
        return {digest for (digest,) in connection.execute(query, values)}

    def cells(
        self, connection: sqlite3.Connection, column: str = "digest",
        among: Collection[str] | None = None,
    ) -> dict[str, Sequence[Any]]:  # fmt: skip
        """Return rows in the table's order, by column; see `frame`.

        Args:
            connection: of the file.
            column: whose values choose the rows.
            among: these values; None for all rows. Time is linear in the rows that are chosen,
                if the column is the digest.
        """
        there = self._there(connection)
        if not there:
            return dict.fromkeys(self.types, ())
        names = [name for name in self.types if name in there]
        where, values = _among(column, among)
        order = ", ".join(self.order)
        query = f"SELECT {', '.join(names)} FROM {self.name}{where} ORDER BY {order}"
        cursor = connection.execute(query, values)
        # Many rows share a text of their keys, of which SQLite gives each a copy.
        once = {name: dict[Any, Any]() for name in names if self._shared(name)}
        columns: dict[str, list[Any]] = {name: [] for name in names}
        while rows := cursor.fetchmany(BLOCK):
            for name, cells in zip(names, zip(*rows, strict=True), strict=True):
                same = once.get(name)
                columns[name] += cells if same is None else map(same.setdefault, cells, cells)
        return dict(columns)

    def _shared(self, name: str) -> bool:
        return name in self.order and self.types[name] == "string"

    def blocks(self, connection: sqlite3.Connection) -> Iterator[dict[str, Sequence[Any]]]:
        """Yield all rows by column, hidden ones too, in blocks in the order of the first column.

        Between two blocks nothing keeps another process from writing: rows that it adds may be
        among them or not.
        """
        there, key = self._there(connection), self.columns[0].name
        names = [one.name for one in self.columns if one.name in there]
        where, values = "", ()
        while there:
            query = (
                f"SELECT {', '.join(names)} FROM {self.name}{where} ORDER BY {key} LIMIT {BLOCK}"
            )
            rows = connection.execute(query, values).fetchall()
            if not rows:
                return
            cells: dict[str, Sequence[Any]] = dict(zip(names, zip(*rows, strict=True), strict=True))
            yield cells
            where, values = f" WHERE {key} > ?", (cells[key][-1],)

    def ordered_digests(self, connection: sqlite3.Connection) -> list[str]:
        """Return the digests of all rows in the table's order."""
        if not self._there(connection):
            return []
        query = f"SELECT digest FROM {self.name} ORDER BY {', '.join(self.order)}"
        return [digest for (digest,) in connection.execute(query)]

    def groups(
        self, connection: sqlite3.Connection, by: Sequence[str], counted: Sequence[str], value: str
    ) -> list[tuple[Any, ...]]:
        """Return for each combination of cells: these, numbers of cells, its rows, those undefined.

        Args:
            connection: of the file.
            by: columns of text that are combined; a missing cell is an empty one.
            counted: columns of which the different cells are counted, missing ones left out.
            value: of a row; one that lacks it is undefined.
        """
        if not self._there(connection):
            return []
        of = ", ".join(f"coalesce({name}, '')" for name in by)
        numbers = ", ".join(f"count(DISTINCT {name})" for name in counted)
        rows = f"count(*), count(*) - count({value})"
        query = f"SELECT {of}, {numbers}, {rows} FROM {self.name} GROUP BY {of} ORDER BY {of}"
        return connection.execute(query).fetchall()

    def frame(self, columns: Mapping[str, Sequence[Any]], foreign: bool = False) -> pd.DataFrame:
        """Return the columns as a table with the types of this one.

        Args:
            columns: the cells by column.
            foreign: whether others may have written them, who leave out what has a default.

        Raises:
            StoreError: as `testbed.store.frame.frame`; but columns that came later may be missing.
        """
        length = max((len(cells) for cells in columns.values()), default=0)
        filled = {one.name: [None] * length for one in self.columns if one.later}
        if foreign:
            given = [one for one in self.columns if one.default is not NEEDED]
            filled |= {one.name: [one.default] * length for one in given}
        if foreign and (missing := [n for n in self.types if n not in {**filled, **columns}]):
            raise StoreError(self._without(missing, list(columns)))
        return frame({**filled, **columns}, self.types)

    def _without(self, missing: list[str], got: list[str]) -> str:
        needed = [c.name for c in self.columns if c.name in self.types and c.default is NEEDED]
        words = f"no column {', '.join(missing)}; expected a row a result, with the columns "
        words += f"{', '.join(needed)}; got {shown(', '.join(map(str, got))) or 'none'}"
        wide = self.name == "scores" and missing == ["proxy", "value"]
        return words + "; a column a proxy becomes such rows by pandas' melt" if wide else words

    def _there(self, connection: sqlite3.Connection) -> set[str]:
        """Return the names of the columns in the file; none where it lacks the table."""
        return {name for _, name, *_ in connection.execute(f"PRAGMA table_info({self.name})")}


def _among(column: str, values: Collection[str] | None) -> tuple[str, tuple[str, ...]]:
    """Return the condition that a column is one of these values, and what it takes."""
    if values is None:
        return "", ()
    # One word for however many: SQLite bounds the number of a query's marks.
    return f" WHERE {column} IN (SELECT value FROM json_each(?))", (json.dumps(list(values)),)
