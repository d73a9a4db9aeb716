"""How archives are named on disk; nothing here needs torch.

NATS-Bench's two spaces name their files alike: which one a file is of stands inside.
"""

import os
import re
from pathlib import Path

__all__ = ["ENDINGS", "NAS_BENCH_201", "NATS_BENCH", "SINGLE", "archive_files", "is_archive"]

NATS_BENCH = re.compile(r"[0-9]+\.pickle\.pbz2")
NAS_BENCH_201 = re.compile(r"[0-9]{6}-(FULL|SIMPLE|SIMPLIFY)\.pth")
SINGLE = re.compile(r"NAS-Bench-201.*\.pth")
ENDINGS = (".pth", ".pbz2", ".tar")  # of files that are meant as one, be they read or not


def archive_files(folder: Path) -> list[str]:
    """Return the names of a folder's files that hold a network of an archive, sorted.

    Raises:
        OSError: if the folder cannot be read.
    """
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries]
    return sorted(n for n in names if NATS_BENCH.fullmatch(n) or NAS_BENCH_201.fullmatch(n))


def is_archive(path: Path) -> bool:
    """Say whether a path is a folder with a network of an archive, or a file meant as one."""
    try:
        return bool(archive_files(path)) if path.is_dir() else path.suffix in ENDINGS
    except OSError:
        return False
