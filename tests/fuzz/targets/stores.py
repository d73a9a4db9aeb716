"""The results file: its bytes, and odd values in its rows."""

import math
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from testbed.store import Store
from tests.fuzz.mutations import NASTY_NUMBERS, NASTY_WORDS
from tests.fuzz.target import Target

__all__ = ["TARGETS"]

BEFORE = Path(__file__).resolve().parents[2] / "data" / "before" / "before.db"
ODD: tuple[Any, ...] = (
    None, b"\xff\0", "", -1, 2**63 - 1, -(2**63), 1.5, math.inf, -math.inf, *NASTY_WORDS,
    *NASTY_NUMBERS,
)  # fmt: skip


def _copy(folder: Path) -> list[Path]:
    path = folder / "before.db"
    path.write_bytes(BEFORE.read_bytes())
    return [path]


def _odd_cell(random: Random, content: bytes) -> bytes:
    """Put an odd value into a cell, or another statement into the schema."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.db"
        path.write_bytes(content)
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            table = random.choice(("scores", "robustness", "runs"))
            columns = [name for _, name, *_ in database.execute(f"PRAGMA table_info({table})")]
            value = random.choice(ODD)
            if isinstance(value, str):
                value = value.encode("utf-8", "replace").decode()
            database.execute(f"UPDATE {table} SET {random.choice(columns)} = ?", (value,))
        return path.read_bytes()


def _read(path: Path) -> Any:
    with Store(path, "r") as store:
        list(store.faults())
        store.groups("scores", ("images", "init"), ("network", "seed"), "value")
        tables = store.scores(), store.robustness(), store.runs(), store.failures()
        with TemporaryDirectory() as folder, Store(Path(folder) / "all.db") as other:
            store.export(Path(folder) / "a.csv", "robustness")
            other.absorb([store])
    with Store(path) as store:
        store.finish_run(store.begin_run({}), "done")
    return tables


def _check(tables: Any) -> None:
    scores, robustness, _, failures = tables
    assert robustness["accuracy"].between(0, 1).all(), "an accuracy out of range"
    assert (robustness["count"] > 0).all(), "no images"
    assert (robustness["seconds"] >= 0).all(), "negative seconds"
    assert all(text.isprintable() for text in failures["network"]), "a name that is not printable"
    for name in ("network", "proxy"):
        assert all(text.isprintable() for text in scores[name]), "a name that is not printable"
    assert not any("/" in measure for measure in robustness["measure"]), "a path"


TARGETS = (Target("store", _copy, _read, _check, (_odd_cell,)),)
