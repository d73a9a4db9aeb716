"""Single robust accuracies in their table. The caller has the transaction."""

import json
import sqlite3
from collections.abc import Mapping, Sequence

from testbed.store.canonical import details_json
from testbed.store.errors import StoreError
from testbed.store.robustness import RobustnessRow, pack_robust

__all__ = ["insert_robustness", "set_cross_warnings"]


def insert_robustness(connection: sqlite3.Connection, run: int, row: RobustnessRow) -> bool:
    """Add a result, unless it is there; return whether it was new.

    Raises:
        StoreError: if it is there with other images right.
    """
    key, robust = row.key, pack_robust(row.robust)
    cells = {
        "digest": key.digest, "network": key.network, "init": key.init, "seed": key.seed,
        "images": key.images, "measure": key.measure, "level": key.level,
        "settings": key.settings, "accuracy": row.accuracy, "count": row.count,
        "confidence_label": row.confidence_label,
        "confidence_prediction": row.confidence_prediction,
        "confusion": None if row.confusion is None else json.dumps(row.confusion),
        "robust": robust, "seconds": float(row.seconds), "gradients": int(row.gradients),
        "queries": int(row.queries), "warnings": json.dumps(list(row.warnings)),
        "cross_warnings": "[]", "details": details_json(row.details), "run": run,
    }  # fmt: skip
    insert = (
        f"INSERT INTO robustness ({', '.join(cells)}) VALUES ({', '.join('?' * len(cells))}) "
        "ON CONFLICT (digest) DO NOTHING"
    )
    if connection.execute(insert, list(cells.values())).rowcount == 1:
        return True
    query = "SELECT robust, accuracy, run FROM robustness WHERE digest = ?"
    stored, accuracy, earlier = connection.execute(query, (key.digest,)).fetchone()
    if stored != robust:
        raise StoreError(
            f"{key} had accuracy {accuracy} in run {earlier} and now has {row.accuracy}, with "
            "other images right: a result must depend on its key alone. If the code has changed, "
            "write to a new file"
        )
    return False


def set_cross_warnings(
    connection: sqlite3.Connection, warnings: Mapping[str, Sequence[str]]
) -> None:
    """Replace what other attacks say of results, by digest."""
    connection.executemany(
        "UPDATE robustness SET cross_warnings = ? WHERE digest = ?",
        [(json.dumps(list(texts)), digest) for digest, texts in warnings.items()],
    )
