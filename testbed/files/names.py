"""Names that become names of files: a store or a table from elsewhere may hold any text."""

from pathlib import Path

from testbed.basis.errors import InputError
from testbed.basis.foreign_text import quoted

__all__ = ["checked_file_name", "fault_of_file_name", "within"]

LONGEST = 200  # bytes; file systems take 255, and an ending comes behind


def fault_of_file_name(name: str) -> str | None:
    """Return what a text should have been to name a file of one folder; None if it can."""
    plain = name.isprintable() and not any(letter in name for letter in "/\\")
    if not plain or not name or name.startswith(".") or name != name.strip():
        return "a name without folders, of printable characters, that begins with no full stop"
    return None if len(name.encode("utf-8", "replace")) <= LONGEST else f"at most {LONGEST} bytes"


def checked_file_name(name: str, what: str) -> str:
    """Return a name that is to be a part of a file's name.

    Raises:
        InputError: if it would lead out of its folder, or cannot name a file.
    """
    if fault := fault_of_file_name(name):
        raise InputError(f"{what} names a file here: expected {fault}; got {quoted(name)}")
    return name


def within(folder: Path, path: Path) -> Path:
    """Return a path that is to be written into a folder.

    Raises:
        InputError: if it leads out of the folder, by a symbolic link for instance.
    """
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{path} would be written outside {folder}: choose another folder")
    return path
