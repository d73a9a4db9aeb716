"""Single records of the tables: a run, a score, a whole table. The caller has the transaction."""

import json
import shlex
import sqlite3
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

import pandas as pd

from testbed.store.canonical import details_json, storable
from testbed.store.errors import StoreError
from testbed.store.keys import ScoreRow
from testbed.store.tables import RUN_COLUMNS, SCORE_COLUMNS, frame

__all__ = ["end_run", "insert_run", "insert_score", "read_table"]


def insert_run(connection: sqlite3.Connection, provenance: Mapping[str, Any]) -> int:
    """Record a run that starts now, and return its number."""
    fields = dict(provenance)
    if isinstance(fields.get("command"), list | tuple):
        fields["command"] = shlex.join(map(str, fields["command"]))
    fields["started"] = fields.get("started") or _now()
    fields["status"] = "running"
    fields["provenance"] = json.dumps(provenance, default=str)
    names = [name for name in RUN_COLUMNS if name not in ("id", "finished")]
    values = [
        value if value is None or name == "threads" else storable(str(value))
        for name, value in ((name, fields.get(name)) for name in names)
    ]
    cursor = connection.execute(
        f"INSERT INTO runs ({', '.join(names)}) VALUES ({_marks(names)})", values
    )
    return int(cursor.lastrowid or 0)


def end_run(connection: sqlite3.Connection, run: int, status: str) -> bool:
    """Record the end of a run; return whether there is such a run."""
    query = "UPDATE runs SET finished = ?, status = ? WHERE id = ?"
    return connection.execute(query, (_now(), status, run)).rowcount == 1


def insert_score(connection: sqlite3.Connection, run: int, row: ScoreRow) -> bool:
    """Add a score, unless it is there; return whether it was new.

    Raises:
        StoreError: if it is there with another value.
    """
    names, key = ("digest", *SCORE_COLUMNS), row.key
    value = None if row.value != row.value else row.value  # NULL stands for NaN, and equals it
    cells = [
        *(key.digest, key.network, key.proxy, key.init, key.seed, key.images, key.settings),
        *(value, row.reason, row.converged, row.iterations, row.residual, row.seconds),
        *(details_json(row.details), run),
    ]
    insert = (
        f"INSERT INTO scores ({', '.join(names)}) VALUES ({_marks(names)}) "
        "ON CONFLICT (digest) DO NOTHING"
    )
    if connection.execute(insert, cells).rowcount == 1:
        return True
    query = "SELECT value, run FROM scores WHERE digest = ?"
    stored, earlier = connection.execute(query, (key.digest,)).fetchone()
    if stored != value:
        was = "nan" if stored is None else repr(stored)
        raise StoreError(
            f"the value of {key} was {was} in run {earlier} and is now {row.value!r}: "
            "a score must depend on its key alone. If the code has changed, write to a new file"
        )
    return False


def read_table(
    connection: sqlite3.Connection, name: str, types: Mapping[str, str], order: str
) -> pd.DataFrame:
    """Return a whole table in the given order."""
    rows = connection.execute(f"SELECT {', '.join(types)} FROM {name} ORDER BY {order}").fetchall()
    columns = zip(*rows, strict=True) if rows else ((),) * len(types)
    return frame(dict(zip(types, columns, strict=True)), types)


def _marks(names: Iterable[str]) -> str:
    return ", ".join("?" for _ in names)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
