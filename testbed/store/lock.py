"""One writer at a time: an exclusive lock that the operating system releases."""

import fcntl
import json
import os
import socket
from datetime import datetime, timezone
from pathlib import Path

from testbed.store.errors import StoreBusy, StoreError

__all__ = ["WriterLock"]


class WriterLock:
    """Hold the right to write ``path`` until `release` or the end of the process.

    The lock is on the file ``<path>.lock``, which says who holds it. The file stays behind
    when the lock is released: whoever deleted it could delete it under a waiting writer.

    Raises:
        StoreBusy: if another process, or another store of this one, writes the file.
        StoreError: if the lock cannot be made.
    """

    def __init__(self, path: Path) -> None:
        lock = path.with_name(path.name + ".lock")
        try:
            self._file = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error}") from error
        try:
            # Not a file whose mere existence is the lock: that would outlive a killed process.
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            busy = isinstance(error, BlockingIOError)
            message = _busy(path, os.pread(self._file, 4096, 0)) if busy else _refused(lock, error)
            os.close(self._file)
            raise (StoreBusy if busy else StoreError)(message) from error
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, json.dumps(_holder()).encode(), 0)

    def release(self) -> None:
        """Let another process write."""
        os.ftruncate(self._file, 0)
        os.close(self._file)


def _holder() -> dict[str, object]:
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": now}


def _busy(path: Path, content: bytes) -> str:
    try:
        who = "process {pid} on {host} since {since}".format(**json.loads(content))
    except (ValueError, KeyError, TypeError):  # it has just taken the lock, and not signed yet
        who = "another process"
    return (
        f"{path} is being written by {who}: wait until it has finished, end it, "
        "or write to another file (reading is possible meanwhile)"
    )


def _refused(lock: Path, error: OSError) -> str:
    return (
        f"{lock} cannot be locked: {error}; some network file systems have no locks: "
        "put the results on another disk"
    )
