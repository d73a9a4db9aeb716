"""Which kind of archive a path is."""

import os
import re
from itertools import islice
from pathlib import Path

from testbed.spaces.nasbench201.archive.errors import NotAnArchiveError
from testbed.spaces.nasbench201.archive.layouts import (
    Layout,
    NasBench201Folder,
    NasBench201Single,
    NatsFolder,
)

__all__ = ["find_layout"]

FOLDERS = (
    (NatsFolder, re.compile(r"\d+\.pickle\.pbz2")),
    (NasBench201Folder, re.compile(r"\d{6}-(FULL|SIMPLE|SIMPLIFY)\.pth")),
)
KNOWN = (
    "expected the folder NATS-tss-v1_0-3ffb9-simple or -full with its NNNNNN.pickle.pbz2, the "
    "folder of a NAS-Bench-201 archive with its NNNNNN-FULL.pth, or the file "
    "NAS-Bench-201-v1_1-096897.pth"
)


def find_layout(path: Path) -> Layout:
    """Return the archive's layout; of a folder, no more names are read than needed.

    Raises:
        NotAnArchiveError: if it is no archive; the message says what was found instead.
    """
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise NotAnArchiveError(f"there is no {path}; {KNOWN}")
    if re.fullmatch(r"NAS-Bench-201.*\.pth", path.name):
        return NasBench201Single(path)
    for layout, pattern in FOLDERS:
        if pattern.fullmatch(path.name):
            raise NotAnArchiveError(
                f"{path} is the file of one architecture of a {layout.kind} archive; "
                f"give the folder, {path.parent}"
            )
    raise NotAnArchiveError(f"{path} is a file of another kind{_hint(path)}; {KNOWN}")


def _folder(path: Path) -> Layout:
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                for layout, pattern in FOLDERS:
                    if pattern.fullmatch(entry.name):
                        return layout(path)
        found = sorted(islice((entry.name for entry in path.iterdir()), 1000))
    except OSError as error:
        raise NotAnArchiveError(f"cannot read {path}: {error.strerror or error}") from error
    shown = ", ".join(found[:5]) + (", …" if len(found) > 5 else "")
    raise NotAnArchiveError(f"{path} holds {shown or 'nothing'}; {KNOWN}")


def _hint(path: Path) -> str:
    if ".tar" in path.name:
        return " (unpack it first; of one in parts, join the parts: cat NAME.tar* | tar x)"
    if path.name.endswith(".pickle.pbz2"):
        return " (the single file has no weights and must be read whole: take the folder)"
    return ""
