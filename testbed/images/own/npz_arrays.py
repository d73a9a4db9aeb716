"""Arrays of an ``.npz`` file: mapped into memory, or unpacked where they are compressed."""

import math
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from testbed.basis.foreign_text import quoted, shown
from testbed.files.plain_arrays import check_header
from testbed.images.errors import DataFileError

__all__ = ["array_of", "members"]

MOST_UNPACKED = 2**30  # bytes of a compressed array, which has to be in memory as a whole


def members(path: Path) -> list[str]:
    """Return the names of the arrays of a file."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise DataFileError(
            f"{path} is no file of numpy.savez ({shown(str(error), 80)}); expected images and "
            "labels in one .npz"
        ) from error
    if len(set(names)) < len(names):
        raise DataFileError(f"{path}: an array stands twice in it")
    return names


def array_of(path: Path, member: str) -> np.ndarray:
    """Return an array of the file: mapped into memory, or unpacked if it is compressed."""
    try:
        with zipfile.ZipFile(path) as archive:
            info = archive.getinfo(member)
            with archive.open(info) as file:
                check_header(file)
            if info.compress_type == zipfile.ZIP_STORED:
                return _mapped(path, info)
            if info.file_size > MOST_UNPACKED:
                raise DataFileError(
                    f"{path}: {quoted(member)} has {info.file_size:,} bytes, compressed; write it "
                    "with numpy.savez, which does not compress, so that it need not be in memory"
                )
            with archive.open(info) as file:
                _header(file)
            with archive.open(info) as file:
                return np.lib.format.read_array(file, allow_pickle=False)
    except DataFileError:
        raise
    except ValueError as error:
        raise DataFileError(f"{path}: {quoted(member)}: {shown(str(error), 150)}") from error
    except (OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, MemoryError,
            NotImplementedError, RuntimeError) as error:  # fmt: skip
        raise DataFileError(
            f"{path}: {quoted(member)} cannot be read ({shown(str(error), 80)}): a damaged file?"
        ) from error


def _mapped(path: Path, info: zipfile.ZipInfo) -> np.ndarray:
    with path.open("rb") as file:
        file.seek(info.header_offset)
        local = file.read(30)
        if local[:4] != b"PK\3\4":
            raise zipfile.BadZipFile("no member where there should be one")
        skip = int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:30], "little")
        begin = info.header_offset + 30 + skip
        file.seek(begin)
        check_header(file)
        start = file.tell()
        file.seek(begin)
        shape, fortran, dtype = _header(file)
    if start - begin + dtype.itemsize * math.prod(shape) != info.file_size:
        raise EOFError("its length is not that of its header")
    if not math.prod(shape):
        return np.empty(shape, dtype)
    order = "F" if fortran else "C"
    return np.memmap(path, dtype, "r", offset=start, shape=shape, order=order)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0
    read = read if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    if dtype.hasobject:
        raise ValueError("an array of Python objects, which is not read: it could run code")
    return shape, fortran, dtype
