"""The runs that found results, and where they took place."""

import json
import shlex
import sqlite3
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from testbed.store.columns import Column
from testbed.store.table import Table

__all__ = [
    "INTERRUPTED",
    "RUNNING",
    "RUNS",
    "begin_run",
    "end_dead_runs",
    "end_run",
    "is_run",
    "running",
]  # fmt: skip

RUNNING, INTERRUPTED = "running", "interrupted"

# Some of a run's provenance in columns, and all of it as JSON.
RUNS = Table(
    "runs",
    (
        Column("id", "Int64", "PRIMARY KEY"),
        Column("started", "string"),
        Column("finished", "string", ""),
        Column("status", "string"),
        Column("command", "string", ""),
        Column("code_version", "string", ""),
        Column("torch_version", "string", ""),
        Column("python", "string", ""),
        Column("platform", "string", ""),
        Column("device", "string", ""),
        Column("threads", "Int64", ""),
        Column("provenance", "string"),
    ),
    order=("id",),
)


def begin_run(connection: sqlite3.Connection, provenance: Mapping[str, Any]) -> int:
    """Record a run that starts now, and return its number."""
    command = provenance.get("command")
    facts = {
        **provenance,
        "started": provenance.get("started") or _now(),
        "finished": None,
        "status": RUNNING,
        "command": shlex.join(map(str, command)) if isinstance(command, list | tuple) else command,
        "provenance": json.dumps(provenance, default=str),
    }
    cells = {one.name: one.plain(facts.get(one.name)) for one in RUNS.columns[1:]}
    return int(RUNS.insert(connection, cells).lastrowid or 0)


def end_run(connection: sqlite3.Connection, run: int, status: str) -> bool:
    """Record the end of a run; return whether there is such a run."""
    query = "UPDATE runs SET finished = ?, status = ? WHERE id = ?"
    return connection.execute(query, (_now(), status, run)).rowcount == 1


def end_dead_runs(connection: sqlite3.Connection) -> None:
    """Record that runs were interrupted whose process could not: to be called by a new writer.

    They have no end: nobody knows when it was.
    """
    if running(connection):
        query = f"UPDATE runs SET status = '{INTERRUPTED}' WHERE status = '{RUNNING}'"
        connection.execute(query)


def running(connection: sqlite3.Connection) -> set[int]:
    """Return the numbers of the runs that nobody has ended yet."""
    query = f"SELECT id FROM runs WHERE status = '{RUNNING}'"
    return {number for (number,) in connection.execute(query)}


def is_run(connection: sqlite3.Connection, run: int) -> bool:
    """Return whether there is a run of this number."""
    return connection.execute("SELECT 1 FROM runs WHERE id = ?", (run,)).fetchone() is not None


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
