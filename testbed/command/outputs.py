"""Whether what an option names can be written: asked before hours of work, not after them."""

import os
from pathlib import Path

from testbed.basis.errors import InputError
from testbed.basis.foreign_text import shown

__all__ = ["check_file", "check_folder", "check_store"]


def check_file(path: Path, option: str = "--out") -> Path:
    """Return the path of a file that is going to be written into a folder that is there.

    Args:
        path: of the file; one that is there is going to be replaced.
        option: that names it, for the message.

    Raises:
        InputError: if it is a folder, or no file can be written there.
    """
    if path.is_dir():
        raise InputError(f"{option} {_said(path)} is a folder: name a file in it, or another one")
    if path.exists() and not path.is_file():
        raise InputError(f"{option} {_said(path)} is no plain file: name another one")
    folder = path.parent
    if not folder.exists():
        raise InputError(
            f"{option} {_said(path)}: there is no folder {_said(folder)}; make it first"
        )
    _check_writable(path, folder, option)
    return path


def check_folder(path: Path, option: str = "--out") -> Path:
    """Return the path of a folder that is going to be written into, and made if it is missing.

    Raises:
        InputError: if it is a file, or cannot be made or written.
    """
    there = path
    while not there.exists() and there != there.parent:
        there = there.parent
    if there == path and not path.is_dir():
        raise InputError(f"{option} {_said(path)} is a file: name a folder, new or not")
    _check_writable(path, there, option)
    return path


def check_store(path: Path, option: str = "--store") -> Path:
    """Return the path of a file of results, which is made with its folder if it is missing.

    Raises:
        InputError: if it has another ending, is a folder, or cannot be made.
    """
    from testbed.store.schema import SUFFIXES

    if path.suffix not in SUFFIXES:
        raise InputError(f"{option} ends in {', '.join(SUFFIXES)}; got {_said(path)}")
    check_folder(path.parent, f"the folder of {option}")
    return check_file(path, option) if path.parent.exists() else path


def _check_writable(path: Path, folder: Path, option: str) -> None:
    if not folder.is_dir():
        raise InputError(f"{option} {_said(path)}: {_said(folder)} is a file, no folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{option} {_said(path)}: the folder {_said(folder)} cannot be written")


def _said(path: Path) -> str:
    return shown(str(path))
