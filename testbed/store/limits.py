"""Connections that a file from elsewhere cannot make wait for ever, and that Ctrl-C interrupts."""

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testbed.basis import interrupts
from testbed.basis.foreign_text import shown
from testbed.store.errors import StoreError

__all__ = ["Steps", "advice"]

OFTEN = 20_000  # steps of SQLite's machine from one look to the next: some tenths of a millisecond
# A row takes some hundreds of bytes and some hundreds of steps. A damaged or a hostile file can
# have pages that lead to one another, and with them more rows than there are atoms.
STEPS, STEPS_PER_BYTE = 100_000_000, 200
LONGEST = 2**28  # bytes of a cell; SQLite's own limit is 2^30

ROOM = (
    "the disk is full perhaps, or a quota or a limit of the file's size is reached; what was saved "
    "before is kept: make room, and run the same command again"
)
ADVICE = {
    "disk I/O error": ROOM,
    "database or disk is full": ROOM,
    "unable to open database file": "its folder cannot be written perhaps, or this process has "
    "too many files open (`ulimit -n` is their limit)",
    "attempt to write a readonly database": "the file or its folder cannot be written: give the "
    "right to, or name another file; what was saved before is kept",
}


class Steps:
    """Counts the steps that queries of a connection take, and ends one that takes too many.

    The count, not the time, is bounded: a slow disk is no fault of the file.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path, self._left = path, STEPS
        connection.set_progress_handler(self._look, OFTEN)
        if sys.version_info >= (3, 11):
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)

    def _look(self) -> bool:
        # Python calls the handlers of signals here: without this a query could not be interrupted.
        self._left -= OFTEN
        return self._left < 0

    @contextmanager
    def bounded(self) -> Iterator[None]:
        """Bound what the block asks, and turn what SQLite raises into a StoreError."""
        try:
            self._left = STEPS + STEPS_PER_BYTE * os.stat(self._path).st_size
        except OSError:  # moved away; what follows from that is another matter
            self._left = STEPS
        try:
            yield
        except sqlite3.Error as error:
            interrupts.check()
            if self._left < 0:
                raise StoreError(
                    f"{self._path} is damaged, or made to do harm: a query of it took more steps "
                    "than a file of its size can need; choose another file"
                ) from error
            if str(error) == "interrupted":  # SQLite makes that of an exception in `_look`
                raise KeyboardInterrupt from None
            raise StoreError(f"{self._path}: {shown(str(error))}{advice(error)}") from error
        except (UnicodeDecodeError, MemoryError, OverflowError) as error:
            raise StoreError(f"{self._path} is damaged: {shown(str(error))}") from error


def advice(error: Exception) -> str:
    """Return what is behind an error of SQLite, as far as that is known."""
    words = next((words for said, words in ADVICE.items() if said in str(error)), "")
    return f": {words}" if words else ""
