"""The results file: save in transactions, resume, read, export."""

import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from testbed.basis import interrupts
from testbed.basis.foreign_text import shown
from testbed.store.errors import StoreError
from testbed.store.failures import FAILURES, FailureRow, standing
from testbed.store.files import WRITERS
from testbed.store.gate import checked
from testbed.store.merging import absorb, foreign_digests
from testbed.store.open_file import OpenFile
from testbed.store.robustness import RobustnessRow, set_cross_warnings
from testbed.store.runs import (
    INTERRUPTED,
    RUNS,
    begin_run,
    end_run,
    is_run,
    running,
)
from testbed.store.schema import TABLES
from testbed.store.scores import ScoreRow
from testbed.store.table import BLOCK, Result

__all__ = ["Store"]

RESULTS = ("scores", "robustness", "failures")
MOST_FAULTS = 20  # of a kind that are named


class Store(OpenFile):
    """Scores, robust accuracies and runs in one SQLite file; a context manager.

    Writing takes a lock that one process can hold, and that is released even if that process
    is killed; reading takes none and works while another process writes. What `save` has
    returned from is on disk, whole.

    Args:
        path: ending in ``.sqlite``, ``.sqlite3`` or ``.db``. To write, the file and its folder
            are made if missing.
        mode: ``"w"`` to write (adding to what is there) or ``"r"`` to read.

    Raises:
        StoreBusy: if another process writes the file.
        StoreError: if the file is no results file or of a newer version (and is then left
            untouched), or is to be read and does not exist.
    """

    def begin_run(self, provenance: Mapping[str, Any]) -> int:
        """Record the start of a run and return its number.

        Args:
            provenance: as from `testbed.command.provenance.provenance`; all of it is kept.
        """
        with self._transaction("IMMEDIATE"):
            return begin_run(self._connection, provenance)

    def finish_run(self, run: int, status: str) -> None:
        """Record the end of a run: now, and with this status (``done``, ``interrupted``, …).

        Raises:
            StoreError: if there is no such run.
        """
        with self._transaction("IMMEDIATE"):
            if not end_run(self._connection, run, status):
                raise StoreError(f"{self.path} has no run {run}")

    def finished(self, among: Collection[str] | None = None) -> set[str]:
        """Return the digests of the scores that are there, all or among these, NaN included."""
        with self._steps.bounded():
            return TABLES["scores"].digests(self._connection, among)

    def save(self, run: int, rows: Iterable[ScoreRow]) -> int:
        """Add scores in one transaction: all or none; return how many were new.

        A score that is there is kept, with its run and its seconds.

        Raises:
            StoreError: if a score is there with another value, or there is no such run; nothing
                is saved then.
        """
        return self._save("scores", run, rows)

    def save_robustness(self, run: int, rows: Iterable[RobustnessRow]) -> int:
        """Add robust accuracies as `save` adds scores.

        Raises:
            StoreError: if a result is there with other images right, or there is no such run.
        """
        return self._save("robustness", run, rows)

    def _save(self, table: str, run: int, rows: Iterable[Result]) -> int:
        rows = list(rows)
        with self._run_transaction(run):
            new = sum(TABLES[table].add(self._connection, run, row) for row in rows)
            FAILURES.remove(self._connection, (row.key.digest for row in rows))
        return new

    def save_failures(self, run: int, rows: Iterable[FailureRow]) -> None:
        """Record that results failed, in place of what earlier runs recorded of the same ones.

        A result that is saved later removes its failure; of one that is there none is recorded.

        Raises:
            StoreError: if there is no such run.
        """
        rows = list(rows)
        if not rows:  # as of most tasks: a transaction would wait for the lock for nothing
            return
        with self._run_transaction(run):
            for row in rows:
                FAILURES.put(self._connection, run, row)
            kept = standing(self._connection, [row.key.digest for row in rows])
            FAILURES.remove(self._connection, {row.key.digest for row in rows} - kept)

    @contextmanager
    def _run_transaction(self, run: int) -> Iterator[None]:
        with self._transaction("IMMEDIATE"):
            if not is_run(self._connection, run):
                raise StoreError(f"{self.path} has no run {run}: begin one with begin_run")
            yield

    def finished_robustness(self, among: Collection[str] | None = None) -> set[str]:
        """Return the digests of the robust accuracies that are there, all or among these."""
        with self._steps.bounded():
            return TABLES["robustness"].digests(self._connection, among)

    def failed(self, among: Collection[str] | None = None) -> set[str]:
        """Return the digests of the results that failed, all or among these, and are not there."""
        with self._steps.bounded():
            return standing(self._connection, among)

    def absorb(self, others: Iterable["Store"]) -> dict[str, int]:
        """Add all results of other files and their runs, all or none; return how many were new.

        A result that is there is kept, with its run and its seconds; failures that no result
        overrules come along.

        Args:
            others: open files, none of them this one.

        Raises:
            StoreError: if one is damaged, or holds a result with another value than another
                file or this one; nothing is added then.
        """
        new: dict[str, int] = {}
        with self._transaction("IMMEDIATE"):
            for other in others:
                for table in RESULTS:
                    other._look_through(table)
                with other._steps.bounded():
                    counts = absorb(self._connection, other._connection, other.path)
                new = {table: new.get(table, 0) + count for table, count in counts.items()}
        return new

    def faults(self) -> Iterator[str]:
        """Yield a sentence for each thing that is wrong with the file, digests and all."""
        with self._steps.bounded():
            for (said,) in self._connection.execute("PRAGMA integrity_check(20)").fetchall():
                if said != "ok":
                    yield f"SQLite says: {shown(str(said))}"
        for name in RESULTS:
            try:
                self._look_through(name)
                with self._steps.bounded():
                    for count, said in enumerate(foreign_digests(self._connection, TABLES[name])):
                        if count == MOST_FAULTS:
                            yield f"{name}: and more of this kind"
                            break
                        yield f"{name}: {said}"
            except StoreError as error:
                yield str(error)

    def compact(self) -> tuple[int, int]:
        """Write the file anew without gaps; return its bytes before and after.

        Raises:
            StoreError: if there is no room for a second copy.
        """
        before = os.stat(self.path).st_size
        with interrupts.held(), self._steps.bounded():
            self._check_file()
            self._connection.execute("VACUUM")
        return before, os.stat(self.path).st_size

    def set_cross_warnings(self, warnings: Mapping[str, Sequence[str]]) -> None:
        """Replace what the attacks on a network say of each other, by the results' digests."""
        with self._transaction("IMMEDIATE"):
            set_cross_warnings(self._connection, warnings)

    def scores(self, digests: Collection[str] | None = None) -> pd.DataFrame:
        """Return scores, in the order of network, proxy, init, seed, images, settings.

        Args:
            digests: of the keys; all scores if not given. The time is linear in what is asked for.
        """
        return self._read("scores", "digest", digests)

    def robustness(self, networks: Collection[str] | None = None) -> pd.DataFrame:
        """Return robust accuracies, in the order of network, init, seed, images, measure.

        Args:
            networks: whose; all if not given.
        """
        return self._read("robustness", "network", networks)

    def failures(self, digests: Collection[str] | None = None) -> pd.DataFrame:
        """Return what failed and is not there: the key of the result, the kind and the reason.

        Args:
            digests: of the results' keys; all failures if not given.
        """
        return self._read("failures", "digest", self.failed(digests))

    def runs(self) -> pd.DataFrame:
        """Return all runs in the order of their numbers; times are UTC in ISO 8601.

        The status of a run whose process was killed, so that it could not record its end, is
        ``interrupted``: nobody holds the lock of the file any more.
        """
        runs = self._read("runs")
        return runs.assign(status=runs["status"].mask(runs["id"].isin(self._dead()), INTERRUPTED))

    def _dead(self) -> set[int]:
        if self._writers is None:
            return set()
        with self._steps.bounded():
            # Before and after the look at the lock, so that a writer who comes now is alive.
            before = running(self._connection)
            if not before or self._writers.taken() is not False:
                return set()
            return before & running(self._connection)

    def _read(
        self, table: str, column: str = "", among: Collection[str] | None = None
    ) -> pd.DataFrame:
        with self._steps.bounded():
            cells = TABLES[table].cells(self._connection, column, among)
        return self._framed(table, cells)

    def _framed(self, table: str, cells: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
        """Return cells as a table of the right types.

        Raises:
            StoreError: if a cell cannot be right.
        """
        try:
            rows = TABLES[table].frame(cells)
            return rows if TABLES[table] is RUNS else checked(rows, TABLES[table])
        except StoreError as error:
            raise StoreError(f"{self.path}: {table}: {error}") from error

    def _look_through(self, table: str) -> None:
        """Check the types and ranges of all rows, some at a time.

        Raises:
            StoreError: naming the column and the row that cannot be right.
        """
        with self._steps.bounded():
            for cells in TABLES[table].blocks(self._connection):
                try:
                    self._framed(table, cells)
                except StoreError:
                    self._read(table)  # where it stands among all rows
                    raise

    def groups(
        self, table: str, by: Sequence[str], counted: Sequence[str], value: str
    ) -> list[tuple[Any, ...]]:
        """Return how much a table holds, see `Table.groups`.

        Nothing but the numbers is in memory, however large the file is; no cell is checked.
        """
        with self._steps.bounded():
            return TABLES[table].groups(self._connection, by, counted, value)

    def export(self, path: str | Path, table: Literal["scores", "robustness"] = "scores") -> None:
        """Write a table to a ``.csv`` or ``.parquet`` file, replaced as a whole.

        The runs go with them: in Parquet as JSON in the schema metadata under ``runs``, for
        ``name.csv`` as ``name.runs.json`` beside it.

        Raises:
            StoreError: if the suffix is another.
        """
        path = Path(path).resolve()
        if path.suffix not in WRITERS:
            raise StoreError(f"an export ends in {' or '.join(WRITERS)}; got {path}")
        with self._transaction("DEFERRED"):  # so that rows and runs are of one moment
            digests, runs = TABLES[table].ordered_digests(self._connection), self.runs()
        records = json.loads(runs.to_json(orient="records") or "[]")
        for record in records:
            try:
                record["provenance"] = json.loads(record["provenance"])
            except (ValueError, RecursionError) as error:
                said = f"the provenance of run {record['id']} is no JSON: {shown(str(error))}"
                raise StoreError(f"{self.path} is damaged: {said}") from error
        # Some at a time, and the file is free in between: results stay as they are. One that
        # stands twice is found at the seams too, by the last row that is read again.
        seams = range(0, max(1, len(digests)), BLOCK)
        blocks = (
            self._read(table, "digest", digests[max(0, place - 1) : place + BLOCK]).iloc[
                min(1, place) :
            ]
            for place in seams
        )
        WRITERS[path.suffix](path, blocks, records)
