"""A results file that is open: its lock, its transactions, and whether it is still itself."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Literal, TypeVar

from testbed.basis import interrupts
from testbed.files.kinds import fault_of_kind, resolved
from testbed.files.replacing import clear_left_over
from testbed.store.errors import StoreError
from testbed.store.far_byte import FarByte
from testbed.store.limits import Steps
from testbed.store.lock import WriterLock
from testbed.store.runs import end_dead_runs
from testbed.store.schema import SUFFIXES, connect, create, upgrade

__all__ = ["OpenFile"]

Opened = TypeVar("Opened", bound="OpenFile")


class OpenFile:
    """What is open in a `testbed.store.database.Store`, whose arguments and errors these are."""

    def __init__(self, path: str | Path, mode: Literal["w", "r"] = "w") -> None:
        if mode not in ("w", "r"):
            raise ValueError(f'mode is "w" or "r"; got {mode!r}')
        # Two names for one file must meet at one lock.
        try:
            self.path = resolved(path)
        except OSError as error:
            raise StoreError(f"{path} cannot be opened as a results file: {error}") from error
        if self.path.suffix not in SUFFIXES:
            raise StoreError(f"a results file ends in {', '.join(SUFFIXES)}; got {self.path}")
        self._lock: WriterLock | None = None
        self._writers: FarByte | None = None
        with interrupts.held():
            if mode == "w":
                self._open_to_write()
            else:
                self._open_to_read()

    def _open_to_read(self) -> None:
        if not _is_file(self.path):
            raise StoreError(f"there is no results file {self.path}")
        try:
            writers = FarByte(self.path, write=False)
        except OSError as error:
            raise StoreError(f"{self.path} cannot be read: {error}") from error
        try:
            self._connect(write=False)
        except BaseException:
            writers.close()
            raise
        self._writers = writers

    def _open_to_write(self) -> None:
        if _has_content(self.path):
            connect(self.path, write=False).close()  # so that no lock appears beside other files
        else:
            _make_folder(self.path.parent)
        self._lock = WriterLock(self.path)
        try:
            clear_left_over(self.path)
            if not _has_content(self.path):
                create(self.path)
            self._lock.take_file()
            self._connect(write=True)
            with self._steps.bounded():
                upgrade(self._connection)
                end_dead_runs(self._connection)
        except BaseException:
            self._lock.release()
            raise

    def _connect(self, write: bool) -> None:
        self._connection = connect(self.path, write)
        self._steps = Steps(self.path, self._connection)
        self._opened = os.stat(self.path)
        self._version = self._others_version()

    def close(self) -> None:
        """Close the file and release the lock; again is no error."""
        with interrupts.held():
            self._connection.close()
            if self._lock is not None:
                self._lock.release()
                self._lock = None
            if self._writers is not None:
                self._writers.close()
                self._writers = None

    def __enter__(self: Opened) -> Opened:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None and self._lock is not None:
                with self._steps.bounded():
                    self._check_file()
        finally:
            self.close()

    @contextmanager
    def _transaction(self, kind: Literal["IMMEDIATE", "DEFERRED"]) -> Iterator[None]:
        if kind == "IMMEDIATE" and self._lock is None:
            raise StoreError(f'{self.path} is not open for writing: use Store(path, "w")')
        with interrupts.held(), self._steps.bounded():
            self._check_file()
            self._connection.execute(f"BEGIN {kind}")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:  # an interrupt too must not leave half of it behind
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            self._check_file()

    def _check_file(self) -> None:
        """Raise StoreError if what is saved would not be, or was not, saved to the file."""
        try:
            there = os.stat(self.path)
        except OSError as error:
            raise StoreError(
                f"{self.path} is gone ({error.strerror}): what was saved since is lost; run the "
                "same command again"
            ) from error
        if not os.path.samestat(there, self._opened):
            raise StoreError(
                f"{self.path} was replaced by another file while it was open: what was saved since "
                "is lost; run the same command again"
            )
        if self._lock is None:
            return
        if self._others_version() != self._version:
            raise StoreError(
                f"{self.path} was written to by another program while it was open, or copied over: "
                "what was saved since may be lost; look at it with robustness-proxies store check, "
                "and run the same command again"
            )
        ((pages,),) = self._connection.execute("PRAGMA page_count").fetchall()
        ((size,),) = self._connection.execute("PRAGMA page_size").fetchall()
        if there.st_size != pages * size or not pages:
            raise StoreError(
                f"{self.path} has {there.st_size} bytes, of {pages} pages of {size}: it "
                "was cut short, or written to, from outside while it was open. Take it from a "
                "backup, or write to a new file"
            )

    def _others_version(self) -> int:
        """Return a number that changes with every change that is not of this connection."""
        ((version,),) = self._connection.execute("PRAGMA data_version").fetchall()
        return version


def _is_file(path: Path) -> bool:
    try:
        kind = fault_of_kind(path)
    except OSError as error:
        raise StoreError(f"{path} cannot be opened as a results file: {error}") from error
    if kind:
        raise StoreError(f"{path} is not a results file, but {kind}")
    return path.exists()


def _has_content(path: Path) -> bool:
    return _is_file(path) and path.stat().st_size > 0


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"the folder {folder} cannot be made: {error}") from error
