"""Files that are there whole or not at all."""

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from testbed.basis import interrupts

__all__ = ["clear_left_over", "naming", "replacing"]

HOST = re.sub(r"[^\w-]", "_", socket.gethostname())[:40]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield the path of a temporary file that takes the place of ``path`` at the end.

    After an error, or a crash, ``path`` is as it was. What a process that was killed left beside
    it is removed.

    Raises:
        OSError: naming ``path``, if it cannot be written.
    """
    interrupts.something_to_lose()
    temporary = path.with_name(f".{path.name}.{HOST}-{os.getpid()}.tmp")
    with naming(path, temporary):
        path.parent.mkdir(parents=True, exist_ok=True)
        clear_left_over(path)
        try:
            yield temporary
            _sync(temporary)
            os.replace(temporary, path)
            _sync(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def clear_left_over(path: Path) -> None:
    """Remove the temporary files of ``path`` whose processes, on this machine, are no more."""
    start, end = f".{path.name}.{HOST}-", ".tmp"
    with suppress(OSError):
        for name in os.listdir(path.parent):
            number = name[len(start) : -len(end)]
            ours = name.startswith(start) and name.endswith(end) and number.isdecimal()
            if ours and not _alive(int(number)):
                path.with_name(name).unlink(missing_ok=True)


@contextmanager
def naming(path: Path, temporary: Path) -> Iterator[None]:
    """Let an OSError of the block that names no file, or a temporary one, name ``path``.

    What libraries raise of a full disk says no more than that there is no space.
    """
    try:
        yield
    except OSError as error:
        unnamed = error.filename is None or str(error.filename) == str(temporary)
        if not unnamed or isinstance(error, BrokenPipeError):
            raise
        reason = error.strerror or str(error)
        raise OSError(error.errno or 0, reason, str(path)) from error


def _alive(process: int) -> bool:
    if os.name == "nt":  # a signal would end it there
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's
        return True
    return True


def _sync(path: Path) -> None:
    windows = os.name == "nt"
    if windows and path.is_dir():  # no such thing there
        return
    handle = os.open(path, os.O_RDWR if windows else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
