"""A lock on a file itself, under whichever name it is opened: on one byte far behind its end.

SQLite locks bytes of its file too, with POSIX locks, which belong to a process: they all go when
any descriptor of the file is closed. So this lock is of another kind, of the open file (OFD; Linux
has them), which no other closing touches; its byte is not among SQLite's, so that the two never
wait for each other; and its descriptor is closed after SQLite's. A ``flock`` would do on a local
disk, but on NFS it locks every byte, and SQLite out. Where the system has no such locks the file
beside the results is the only one, see `testbed.store.lock`.
"""

import os
import struct
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

__all__ = ["FarByte"]

# SQLite's are the 512 bytes from 2^30 on.
BYTE = 2**62
# struct flock of 64-bit systems: type, whence, start, length, process.
FLOCK = "hhqqi0q"
_taken: set[tuple[int, int]] = set()  # by this process: device and inode


class FarByte:
    """The byte of an existing file.

    Args:
        path: of the file.
        write: whether it is to be locked, and not only looked at.

    Raises:
        OSError: if the file cannot be opened.
    """

    def __init__(self, path: Path, write: bool) -> None:
        self._identity = _identity(os.stat(path))
        self._file: int | None = None
        self._mine = False
        # Not opened twice: closing it then would drop what SQLite holds.
        if self._identity not in _taken:
            self._file = os.open(path, os.O_RDWR if write else os.O_RDONLY)
            self._identity = _identity(os.fstat(self._file))

    def take(self) -> bool:
        """Lock the byte, where the system can; return False if another has it."""
        if self._identity in _taken or self._file is None:
            return False
        try:
            self._ask("F_OFD_SETLK", self._file)
        except BlockingIOError:
            return False
        except (OSError, AttributeError):  # a system, or a file system, without such locks
            pass
        self._mine = True
        _taken.add(self._identity)
        return True

    def taken(self) -> bool | None:
        """Say whether another has locked the byte; None if the system cannot tell."""
        if self._identity in _taken or self._file is None:
            return True
        try:
            answer = self._ask("F_OFD_GETLK", self._file)
        except (OSError, AttributeError):
            return None
        return struct.unpack(FLOCK, answer)[0] != fcntl.F_UNLCK  # type: ignore[union-attr]

    def close(self) -> None:
        """Unlock the byte; to be called when SQLite has closed the file."""
        if self._mine:
            _taken.discard(self._identity)
            self._mine = False
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @staticmethod
    def _ask(operation: str, file: int) -> bytes:
        wanted = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, BYTE, 1, 0)  # type: ignore[union-attr]
        return fcntl.fcntl(file, getattr(fcntl, operation), wanted)  # type: ignore[union-attr]


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino
