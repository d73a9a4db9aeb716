"""What failed where a result should be, and why: a row until the result is there."""

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, ClassVar

from testbed.files.names import fault_of_file_name
from testbed.store.columns import Column, Key, column, columns_of, convert
from testbed.store.errors import StoreError
from testbed.store.robustness import ROBUSTNESS, RobustnessKey
from testbed.store.scores import SCORES, ScoreKey
from testbed.store.table import Table

__all__ = ["FAILURES", "KINDS", "FailureKey", "FailureRow", "drop_overruled", "standing"]

KINDS = ("error", "died", "time limit")
LONGEST_REASON = 2000  # characters of an exception


@dataclass(frozen=True)
class FailureKey(Key):
    """The key of the result that failed: of a score or of a robust accuracy, with its digest.

    Attributes:
        network: as in that key.
        init: as in that key.
        seed: as in that key; None where it has none.
        images: as in that key.
        settings: as in that key.
        proxy: of a score; None for a robust accuracy.
        measure: of a robust accuracy, with its level; None for a score.
        level: ε or severity; None for a score, and for clean images.

    Raises:
        StoreError: if a field is not of its kind, or the key would be of both or of neither.
    """

    what: ClassVar[str] = "a failure"
    may_be_empty: ClassVar[tuple[str, ...]] = ("init",)

    network: str = field(metadata=column("string"))
    proxy: str | None = field(metadata=column("string", null=True))
    measure: str | None = field(metadata=column("string", null=True))
    level: float | None = field(metadata=column("float64", null=True))
    init: str = field(metadata=column("string"))
    seed: int | None = field(metadata=column("Int64", null=True))
    images: str | None = field(metadata=column("string", null=True))
    settings: str = field(metadata=column("string"))

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.proxy is None) == (self.measure is None):
            raise StoreError(
                f"a failure is of a proxy or of a measure; got {self.proxy!r} and {self.measure!r}"
            )

    def _fault(self, one: Column, value: Any) -> str | None:
        fault = super()._fault(one, value)
        return fault_of_file_name(value) if fault is None and one.name == "measure" else fault

    @staticmethod
    def of(key: Key) -> "FailureKey":
        """Return the key of the failure of a score or a robust accuracy."""
        cells: dict[str, Any] = {
            one.name: getattr(key, one.name, None) for one in columns_of(FailureKey)
        }
        return FailureKey(**cells)

    @cached_property
    def digest(self) -> str:
        """The digest of the result's own key."""
        kind = RobustnessKey if self.proxy is None else ScoreKey
        return kind(**{one.name: getattr(self, one.name) for one in fields(kind)}).digest


@dataclass(frozen=True)
class FailureRow:
    """Why there is no result, as of the latest run that tried.

    Attributes:
        key: of the result that failed.
        kind: ``error`` (an exception), ``died`` (the worker process, twice) or ``time limit``.
        reason: in one line.

    Raises:
        StoreError: if the kind is another.
    """

    key: FailureKey
    kind: str = field(metadata=column("string"))
    reason: str = field(metadata=column("string"))

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise StoreError(f"a failure is of one of {', '.join(KINDS)}; got {self.kind!r}")
        line = " ".join(str(self.reason).split()) or "no reason was given"
        object.__setattr__(self, "reason", line[:LONGEST_REASON])
        convert(self, "a failure")


FAILURES = Table.of("failures", FailureKey, FailureRow)
RESULTS = (SCORES, ROBUSTNESS)


def standing(connection: sqlite3.Connection, among: Collection[str] | None = None) -> set[str]:
    """Return the digests, all or among these, of failures that no result overrules.

    One that is overruled was left behind by an earlier version, which knows no failures.
    """
    failed = FAILURES.digests(connection, among)
    if failed:
        failed -= {one for table in RESULTS for one in table.digests(connection, failed)}
    return failed


def drop_overruled(connection: sqlite3.Connection) -> None:
    """Remove the failures whose results are there."""
    for table in RESULTS:
        # Not IN: SQLite would go through all results, and failures are few.
        connection.execute(
            "DELETE FROM failures WHERE EXISTS "
            f"(SELECT 1 FROM {table.name} AS there WHERE there.digest = failures.digest)"
        )
