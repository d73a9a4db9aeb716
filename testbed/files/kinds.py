"""What a path leads to, before anything is opened: a pipe would be waited for."""

import os
import stat
from pathlib import Path

__all__ = ["fault_of_kind", "resolved"]

KINDS = {
    stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip


def resolved(path: str | Path) -> Path:
    """Return the one path of a file, without symbolic links.

    Raises:
        OSError: if its links lead in a circle, or it is no path at all.
    """
    try:
        found = Path(path).resolve()
    except (RuntimeError, ValueError) as error:  # a circle before Python 3.13, a zero byte
        raise OSError(str(error)) from error
    if found.is_symlink():
        raise OSError("its symbolic links lead in a circle")
    return found


def fault_of_kind(path: Path) -> str | None:
    """Return what is there if that is no ordinary file; None for a file, and for nothing.

    Raises:
        OSError: if the path cannot be looked at.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return None
    return None if stat.S_ISREG(mode) else KINDS.get(stat.S_IFMT(mode), "no ordinary file")
