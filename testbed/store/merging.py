"""What other results files hold, added to one: identical results once, conflicting ones refused."""

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from testbed.store.columns import Key
from testbed.store.errors import StoreError
from testbed.store.failures import FAILURES, FailureKey, drop_overruled
from testbed.store.robustness import ROBUSTNESS, RobustnessKey
from testbed.store.runs import RUNS
from testbed.store.scores import SCORES, ScoreKey
from testbed.store.table import Table

__all__ = ["KEYS", "absorb", "foreign_digests", "whole_rows"]

# Of each table its key, and the column that a result of the same key must agree in.
KEYS: dict[str, tuple[type[Key], str]] = {
    SCORES.name: (ScoreKey, "value"),
    ROBUSTNESS.name: (RobustnessKey, "robust"),
    FAILURES.name: (FailureKey, "reason"),
}


ENDS = ("finished", "status")  # what is written of a run when it ends


def absorb(into: sqlite3.Connection, other: sqlite3.Connection, path: Path) -> dict[str, int]:
    """Add all results of another file, and the runs that found them; return how many are new.

    The caller has the transaction.

    Args:
        into: to write to.
        other: to read.
        path: of the other file, for messages.

    Raises:
        StoreError: if a result is there with another value, or its digest is not its key's.

    Of two failures of one result that of the later run is kept, whichever file comes first; of a
    failure and a result the result.
    """
    runs = _Runs(into, other, path)
    new = {
        table.name: sum(_add(into, table, cells, runs, path) for cells in whole_rows(other, table))
        for table in (SCORES, ROBUSTNESS)
    }
    before = FAILURES.count(into)
    for cells in whole_rows(other, FAILURES):
        _add_failure(into, cells, runs)
    drop_overruled(into)
    return new | {FAILURES.name: FAILURES.count(into) - before}


def whole_rows(connection: sqlite3.Connection, table: Table) -> Iterator[dict[str, Any]]:
    """Yield the cells of each row, digest included; columns that came later are None if missing."""
    for block in table.blocks(connection):
        missing = dict.fromkeys(one.name for one in table.columns if one.name not in block)
        for row in zip(*block.values(), strict=True):
            yield dict(zip(block, row, strict=True)) | missing


def foreign_digests(connection: sqlite3.Connection, table: Table) -> Iterator[str]:
    """Yield a sentence for each row whose digest is not that of its key."""
    for cells in whole_rows(connection, table):
        try:
            _key(table, cells)
        except StoreError as error:
            yield str(error)


def _key(table: Table, cells: Mapping[str, Any]) -> Key:
    """Return the key of a row.

    Raises:
        StoreError: if it is none, or has another digest.
    """
    kind, _ = KEYS[table.name]
    key = kind(**{field.name: cells[field.name] for field in fields(kind)})
    if key.digest != cells["digest"]:
        raise StoreError(f"the digest of {key} is another one: the row was altered")
    return key


class _Runs(dict[int, int]):
    """The number here of each run of another file, by its number there; those new are added."""

    def __init__(self, into: sqlite3.Connection, other: sqlite3.Connection, path: Path) -> None:
        super().__init__()
        self._into, self._other, self._path = into, other, path
        self._add_new()

    def _add_new(self) -> None:
        for cells in whole_rows(self._other, RUNS):
            if cells["id"] not in self:
                number = cells.pop("id")
                self[number] = self._there(cells) or int(
                    RUNS.insert(self._into, cells).lastrowid or 0
                )

    def _there(self, cells: dict[str, Any]) -> int | None:
        """Return the number of a run that is there; it has ended if either file knows its end."""
        facts = [name for name in cells if name not in ENDS]
        same = " AND ".join(f"{name} IS ?" for name in facts)
        query = f"SELECT id, {', '.join(ENDS)} FROM runs WHERE {same}"
        found = self._into.execute(query, [cells[name] for name in facts]).fetchall()
        end = tuple(cells[name] for name in ENDS)
        for number, *there in found:
            if tuple(there) == end or cells["finished"] is None:
                return number
        for number, finished, _ in found:
            if finished is None:  # it was merged while it ran
                update = f"UPDATE runs SET {', '.join(f'{name} = ?' for name in ENDS)} WHERE id = ?"
                self._into.execute(update, (*end, number))
                return number
        return None

    def __missing__(self, number: int) -> int:
        self._add_new()  # of a process that writes the other file meanwhile
        if number not in self:
            raise StoreError(
                f"{self._path} is damaged: a result is of run {number}, which it does not have"
            )
        return self[number]


def _add(
    into: sqlite3.Connection, table: Table, cells: dict[str, Any], runs: Mapping[int, int],
    path: Path,
) -> bool:  # fmt: skip
    key, (_, outcome) = _key(table, cells), KEYS[table.name]
    cells["run"] = runs[cells["run"]]
    if table.insert(into, cells, "ON CONFLICT (digest) DO NOTHING").rowcount == 1:
        return True
    query = f"SELECT {outcome}, run FROM {table.name} WHERE digest = ?"
    ((stored, run),) = into.execute(query, (cells["digest"],))
    if stored != cells[outcome]:  # NaN is None in SQLite
        there = f"was {stored}" if outcome == "value" else "had other images right"
        here = f"is {cells['value']}" if outcome == "value" else f"accuracy is {cells['accuracy']}"
        raise StoreError(
            f"{key} {there} in an earlier file (run {run} of the one that is added to) and {here} "
            f"in {path}: a result must depend on its key alone. If the code has changed in "
            "between, keep the files apart"
        )
    return False


def _add_failure(into: sqlite3.Connection, cells: dict[str, Any], runs: Mapping[int, int]) -> None:
    _key(FAILURES, cells)
    cells["run"] = runs[cells["run"]]
    query = (
        "SELECT started, kind, reason FROM failures JOIN runs ON failures.run = runs.id "
        "WHERE digest = ?"
    )
    there = into.execute(query, (cells["digest"],)).fetchone()
    ((started,),) = into.execute("SELECT started FROM runs WHERE id = ?", (cells["run"],))
    # Times of one format sort as their texts do; words break a tie, so that no order matters.
    if there is None or there < (started, cells["kind"], cells["reason"]):
        FAILURES.replace(into, cells)
