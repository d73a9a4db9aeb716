"""Read the pickles of CIFAR and ImageNet16 without running anything that they contain.

The few names that occur in the official files are answered with inert stand-ins,
which at most note their arguments; arrays are then built from the raw bytes, here.
A file that names anything else is refused.
"""

import io
from pathlib import Path
from typing import Any

import numpy as np

from testbed.basis.foreign_text import described, quoted, shown
from testbed.files.safe_pickle import NUMPY_NAMES, RefusedNameError, SafeUnpickler, text
from testbed.images.errors import DataFileError, ForbiddenGlobalError

__all__ = ["load_dictionary"]

MOST_BYTES = 2**30  # six times the largest official file


def load_dictionary(path: Path) -> dict[str, Any]:
    """Return the pickled dictionary in ``path``, its keys as str and its arrays as NumPy arrays.

    Files of Python 2 and 3 read alike: text of Python 2 arrives as bytes.

    Raises:
        ForbiddenGlobalError: if the file names a function or class not needed for images.
        DataFileError: if the file is truncated, not a pickle, not of a dictionary, or has a key
            twice.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataFileError(
                f"{path} has {path.stat().st_size:,} bytes; expected at most {MOST_BYTES:,}: it "
                f"is no official image file"
            )
        content = path.read_bytes()
    except OSError as error:
        raise DataFileError(f"cannot read {path}: {error.strerror or error}") from error
    try:
        found = SafeUnpickler(io.BytesIO(content), _STAND_INS, encoding="bytes").load()
        if not isinstance(found, dict):
            raise DataFileError(
                f"{path}: expected a pickled dictionary; got {type(found).__name__}"
            )
        return _with_words(path, found)
    except DataFileError:
        raise
    except RefusedNameError as error:
        raise ForbiddenGlobalError(
            f"{path} was refused: it asks for {error.name}, which no official "
            f"image file contains and which could run code of the file's choosing; "
            f"nothing was run. Fetch the file again from its official source"
        ) from error
    # The bytes decide what a broken pickle raises: nearly any exception is possible.
    except Exception as error:
        raise DataFileError(
            f"{path} is truncated or not a data file of this kind "
            f"({len(content):,} bytes; {type(error).__name__}: {shown(str(error))}); fetch it again"
        ) from error


def _with_words(path: Path, found: dict[Any, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key, value in found.items():
        word = text(key)
        # Python 3 tells "data" and b"data" apart, the readers of these files do not.
        if word in content:
            raise DataFileError(f"{path}: expected each key once; got {quoted(word)} twice")
        content[word] = _plain(value)
    return content


class _Array:
    """An array as its file describes it: (version, shape, dtype, Fortran order, raw bytes)."""

    __slots__ = ("state",)

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def to_numpy(self) -> np.ndarray:
        _, shape, dtype, fortran, raw = self.state
        # NumPy would find out what −1 stands for.
        if not all(type(size) is int and size >= 0 for size in shape):
            raise ValueError(f"expected the shape of an array; got {described(shape)}")
        flat = np.frombuffer(raw, dtype=dtype.to_numpy())
        return flat.reshape(shape, order="F" if fortran else "C")


class _MakeArray:
    __slots__ = ()

    def __call__(self, subtype: Any, shape: Any, code: Any) -> _Array:
        return _Array()


class _EmptyBytes:
    """Stands in for ``bytes``: Python 3 writes empty bytes into old pickle formats as bytes()."""

    __slots__ = ()

    def __call__(self) -> bytes:
        return b""


_STAND_INS = {
    **NUMPY_NAMES,
    ("numpy.core.multiarray", "_reconstruct"): _MakeArray(),
    ("numpy._core.multiarray", "_reconstruct"): _MakeArray(),  # the name since NumPy 2
    ("numpy", "ndarray"): object(),
    ("__builtin__", "bytes"): _EmptyBytes(),
}


def _plain(value: Any) -> Any:
    return value.to_numpy() if isinstance(value, _Array) else value
