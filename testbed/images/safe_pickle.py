"""Read the pickles of CIFAR and ImageNet16 without running anything that they contain.

The few names that occur in the official files are answered with inert stand-ins,
which at most note their arguments; arrays are then built from the raw bytes, here.
A file that names anything else is refused.
"""

import io
from pathlib import Path
from typing import Any

import numpy as np

from testbed.files.safe_pickle import NUMPY_NAMES, RefusedNameError, SafeUnpickler, text
from testbed.images.errors import DataFileError, ForbiddenGlobalError

__all__ = ["load_dictionary"]


def load_dictionary(path: Path) -> dict[str, Any]:
    """Return the pickled dictionary in ``path``, its keys as str and its arrays as NumPy arrays.

    Files of Python 2 and 3 read alike: text of Python 2 arrives as bytes.

    Raises:
        ForbiddenGlobalError: if the file names a function or class not needed for images.
        DataFileError: if the file is truncated, not a pickle, or not of a dictionary.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataFileError(f"cannot read {path}: {error.strerror or error}") from error
    try:
        found = SafeUnpickler(io.BytesIO(content), _STAND_INS, encoding="bytes").load()
        if not isinstance(found, dict):
            raise DataFileError(
                f"{path}: expected a pickled dictionary; got {type(found).__name__}"
            )
        return {text(key): _plain(value) for key, value in found.items()}
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
            f"({len(content):,} bytes; {type(error).__name__}: {error}); fetch it again"
        ) from error


class _Array:
    """An array as its file describes it: (version, shape, dtype, Fortran order, raw bytes)."""

    __slots__ = ("state",)

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def to_numpy(self) -> np.ndarray:
        _, shape, dtype, fortran, raw = self.state
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
