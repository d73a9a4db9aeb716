"""NumPy's ``.npy`` files of numbers, mapped into memory; the header is read strictly.

The header is a piece of Python. NumPy evaluates it: of two equal keys the last one holds, and
what a broken one raises can be nearly any exception.
"""

import re
from pathlib import Path
from typing import IO

import numpy as np

from testbed.basis.foreign_text import quoted

__all__ = ["MAGIC", "check_header", "open_plain_array"]

MAGIC = b"\x93NUMPY"
LONGEST = 1024  # bytes of a header; that of a plain array takes 128
_HEADER = re.compile(
    r"\{\s*'descr':\s*'[^'\\]{1,16}',\s*'fortran_order':\s*(?:True|False),\s*"
    r"'shape':\s*\((?:\s*[0-9]{1,12}L?\s*,?){0,8}\s*\),?\s*\}\s*",
    re.ASCII,
)


def open_plain_array(path: Path) -> np.ndarray:
    """Return the array in a file that begins with `MAGIC`, read-only and not yet read.

    Raises whatever a damaged file makes NumPy raise, and

    Raises:
        ValueError: if the file is not of a plain array, is cut short, or goes on after it.
        EOFError: if it is cut short.
    """
    with path.open("rb") as file:
        end = check_header(file)
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    size = path.stat().st_size
    if size != end + array.nbytes:
        raise ValueError(f"it has {size:,} bytes; expected {end + array.nbytes:,} by its header")
    return array


def check_header(file: IO[bytes]) -> int:
    """Return where the header ends that begins here.

    Raises:
        ValueError: if it is not that of a plain array.
        EOFError: if it is cut short.
    """
    start = file.read(len(MAGIC) + 2)
    version = start[len(MAGIC) :]
    if version not in (b"\1\0", b"\2\0", b"\3\0"):
        raise ValueError("it is of no version of the format")
    length = int.from_bytes(file.read(2 if version == b"\1\0" else 4), "little")
    if length > LONGEST:
        raise ValueError(f"its header has {length:,} bytes; expected at most {LONGEST:,}")
    header = file.read(length)
    if len(header) < length:
        raise EOFError("its header is cut short")
    text = header.decode("latin1")
    if not _HEADER.fullmatch(text):
        raise ValueError(f"its header is not that of a plain array: {quoted(text.strip(), 100)}")
    return file.tell()
