"""The schema of the store, from its tables and the documentation of their rows."""

import inspect
import re
from collections.abc import Iterator

from testbed.store import RobustnessKey, RobustnessRow, ScoreKey, ScoreRow
from testbed.store.failures import FailureKey, FailureRow
from testbed.store.schema import TABLES
from testbed.store.table import Table

__all__ = ["store"]

_ROWS = {
    "scores": (ScoreKey, ScoreRow),
    "robustness": (RobustnessKey, RobustnessRow),
    "failures": (FailureKey, FailureRow),
}
# What no row says, because the store fills it in.
_FILLED = {
    "digest": "of the key",
    "run": "the number of the run that found it",
    "id": "the number of the run",
    "started": "when, in UTC",
    "finished": "when, in UTC; missing while it runs",
    "status": "running, done, interrupted, or how it failed",
    "command": "the command line",
    "code_version": "of this package",
    "torch_version": "of PyTorch",
    "python": "its version",
    "platform": "the operating system and processor",
    "device": "where torch computed",
    "threads": "of torch",
    "provenance": "all of this, and the settings, as JSON",
}


def store() -> str:
    """Return one section a table: each column with its type and what it holds."""
    return "\n".join(line for table in TABLES.values() for line in _section(table))


def _section(table: Table) -> Iterator[str]:
    meanings = dict(_FILLED)
    for row in _ROWS.get(table.name, ()):
        meanings |= attributes(row)
    yield f"\n## The table `{table.name}`\n"
    yield "| column | type | in SQL | what |"
    yield "| --- | --- | --- | --- |"
    for one in table.columns:
        sql = one.sql.removeprefix(f"{one.name} ")
        yield f"| `{one.name}` | {one.kind} | `{sql}` | {meanings[one.name]} |"
    if table.order != ("id",):
        yield f"\nThe key is {', '.join(f'`{name}`' for name in table.order)}."


def attributes(row: type) -> dict[str, str]:
    """Return what the documentation of a class says of its attributes, by name."""
    text = inspect.getdoc(row) or ""
    section = re.search(r"^Attributes:\n(.*?)(?:\n\n\S|\Z)", text, re.DOTALL | re.MULTILINE)
    found = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", section[1] if section else "", re.M)
    return {name: " ".join(meaning.split()).replace("|", "\\|") for name, meaning in found}
