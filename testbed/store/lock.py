"""One writer at a time: exclusive locks that the operating system releases."""

import json
import os
import socket
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from testbed.basis import interrupts
from testbed.store.errors import StoreBusy, StoreError
from testbed.store.far_byte import FarByte

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

__all__ = ["WriterLock"]


class WriterLock:
    """Hold the right to write ``path`` until `release` or the end of the process.

    There are two locks. One is on the file ``<path>.lock``, which says who holds it: it is there
    before ``path`` is, and serves on every system. It stays behind when the lock is released:
    whoever deleted it could delete it under a waiting writer. A user may delete it all the same,
    or open ``path`` by a hard link that lies elsewhere; so the other lock is on ``path`` itself,
    see `testbed.store.far_byte`.

    Raises:
        StoreBusy: if another process, or another store of this one, writes the file.
        StoreError: if the lock cannot be made.
    """

    def __init__(self, path: Path) -> None:
        interrupts.something_to_lose()
        self._path, self._byte = path, None
        self._beside = (_Beside if fcntl is not None else _BesideOnWindows)(path)
        try:
            if path.exists():
                self.take_file()
        except BaseException:
            self._beside.release()
            raise

    def take_file(self) -> None:
        """Lock the file itself: to be called when there is one, if there was none at first.

        Raises:
            StoreBusy: if another process writes it.
            StoreError: if it cannot be opened to write.
        """
        if self._byte is not None:
            return
        try:
            byte = FarByte(self._path, write=True)
        except OSError as error:
            raise StoreError(f"{self._path} cannot be written: {error}") from error
        if not byte.take():
            byte.close()
            who = "another process, under another name or after the lock file was deleted"
            raise StoreBusy(_busy(self._path, who))
        self._byte = byte

    def release(self) -> None:
        """Let another process write; again is no error."""
        if self._byte is not None:
            self._byte.close()
            self._byte = None
        self._beside.release()


class _Beside:
    """The lock on the file beside ``path``."""

    def __init__(self, path: Path) -> None:
        lock = path.with_name(path.name + ".lock")
        self._file: int | None = None
        # Once more if it was deleted between the two calls.
        while self._file is None:
            self._file = self._locked(path, lock)
        with suppress(OSError):  # on a full disk the lock holds without its signature
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, json.dumps(_holder()).encode(), 0)

    @staticmethod
    def _locked(path: Path, lock: Path) -> int | None:
        try:
            # A pipe of this name must not be waited for, and what a link points to not be signed.
            flags = os.O_RDWR | os.O_CREAT | os.O_NONBLOCK | os.O_NOFOLLOW
            file = os.open(lock, flags, 0o666)
            if path.exists() and os.path.samestat(os.fstat(file), os.stat(path)):
                os.close(file)
                raise StoreError(f"{lock} is {path} itself: remove that name of it")
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error}") from error
        kept = False
        try:
            # Not a file whose mere existence is the lock: that would outlive a killed process.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # type: ignore[union-attr]
            with suppress(FileNotFoundError):
                kept = os.path.samestat(os.fstat(file), os.stat(lock))
            return file if kept else None
        except BlockingIOError as error:
            raise StoreBusy(_busy(path, _signature(file))) from error
        except OSError as error:
            raise StoreError(_refused(lock, error)) from error
        finally:
            if not kept:
                os.close(file)

    def release(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # a pipe has none
                os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = None


class _BesideOnWindows:
    """The same where there is no ``flock``; nobody can read there who holds it."""

    def __init__(self, path: Path) -> None:
        import filelock

        self._lock: Any = filelock.FileLock(f"{path}.lock", is_singleton=False)
        try:
            self._lock.acquire(blocking=False)
        except filelock.Timeout as error:
            raise StoreBusy(_busy(path, "another process")) from error
        except OSError as error:
            raise StoreError(_refused(path, error)) from error

    def release(self) -> None:
        self._lock.release()


def _holder() -> dict[str, object]:
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": now}


def _signature(file: int) -> str:
    try:
        holder = json.loads(os.pread(file, 4096, 0))
        return "process {pid} on {host} since {since}".format(**holder)
    # It has just taken the lock, and not signed yet; or that is no file of ours.
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "another process"


def _busy(path: Path, who: str) -> str:
    return (
        f"{path} is being written by {who}: wait until it has finished, end it, "
        "or write to another file (reading is possible meanwhile)"
    )


def _refused(lock: Path, error: OSError) -> str:
    return (
        f"{lock} cannot be locked: {error}; some network file systems have no locks: "
        "put the results on another disk"
    )
