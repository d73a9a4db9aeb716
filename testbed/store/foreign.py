"""What a results file may hold, for one that comes from elsewhere: our tables and no programs.

A view under the name of a table may never end; a trigger may delete what is saved; a conflict
clause may replace it. So every object of the file's schema is compared with our own.
"""

import re
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

from testbed.basis.foreign_text import shown
from testbed.store.errors import StoreError
from testbed.store.table import Table

__all__ = ["check_schema"]

# Columns of a later version: a name and a type, and nothing that acts.
_PLAIN_COLUMN = re.compile(r"\w+ (TEXT|INTEGER|REAL)", re.IGNORECASE | re.ASCII)
# Internal tables of SQLite: statistics that ANALYZE leaves, for instance.
_OF_SQLITE = "sqlite_"


def check_schema(
    path: Path, connection: sqlite3.Connection, tables: Mapping[str, Table], needed: Iterable[str]
) -> None:
    """Compare the tables of a file with ours; other tables are let alone if they do nothing.

    Args:
        path: of the file, for messages.
        connection: to it.
        tables: ours, by name.
        needed: names of those that must be there.

    Raises:
        StoreError: naming what the file should not hold, or lacks.
    """
    query = "SELECT type, name, tbl_name, sql FROM sqlite_master"
    found = connection.execute(query).fetchall()
    for kind, name, of, sql in found:
        if kind == "table" and name in tables:
            fault = _fault(tables[name], str(sql))
        elif kind == "table":
            virtual = str(sql).upper().startswith("CREATE VIRTUAL")
            fault = f"the virtual table {name!r}" if virtual else None
        else:
            ours = of in tables or kind in ("view", "trigger")
            fault = f"the {kind} {name!r}" if ours and not name.startswith(_OF_SQLITE) else None
        if fault:
            raise StoreError(
                f"{path} holds what this toolkit did not make, {shown(fault)}: it was left "
                "untouched; drop that from it, or choose another file"
            )
    there = {name for kind, name, *_ in found if kind == "table"}
    if missing := [name for name in needed if name not in there]:
        raise StoreError(
            f"{path} is damaged: it lacks the table {', '.join(missing)}; choose another file"
        )


def _fault(table: Table, sql: str) -> str | None:
    expected = " ".join(table.create.rstrip(";").split())
    start, _, rest = " ".join(sql.split()).partition("(")
    body, _, end = rest.rpartition(")")
    right_start, _, right_rest = expected.partition("(")
    _, _, right_end = right_rest.rpartition(")")
    if start.replace('"', "") != right_start or end != right_end:
        return f"a table {table.name!r} of another making"
    left = {" ".join(one.sql.split()): one.later for one in table.columns}
    for definition in _split(body):
        if definition in left:
            del left[definition]
        elif not _PLAIN_COLUMN.fullmatch(definition):
            return f"in the table {table.name!r} {definition!a}"
    lacking = [definition for definition, later in left.items() if not later]
    return f"a table {table.name!r} without {lacking[0]!r}" if lacking else None


def _split(body: str) -> list[str]:
    # At commas outside parentheses: of a reference, for instance.
    parts, depth = [""], 0
    for letter in body:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]
