"""Read the pickles of CIFAR and ImageNet16 without running anything that they contain.

An ordinary unpickler calls whatever function a file names. This one knows the few
names that occur in the official files and answers each with an inert stand-in,
which at most notes its arguments; arrays are then built from the raw bytes, here.
A file that names anything else is refused.
"""

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

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
        found = _Unpickler(content, path).load()
        if not isinstance(found, dict):
            raise DataFileError(
                f"{path}: expected a pickled dictionary; got {type(found).__name__}"
            )
        return {_text(key): _plain(value) for key, value in found.items()}
    except DataFileError:
        raise
    # The bytes decide what a broken pickle raises: nearly any exception is possible.
    except Exception as error:
        raise DataFileError(
            f"{path} is truncated or not a data file of this kind "
            f"({len(content):,} bytes; {type(error).__name__}: {error}); fetch it again"
        ) from error


class _Unpickler(pickle.Unpickler):
    def __init__(self, content: bytes, path: Path) -> None:
        super().__init__(io.BytesIO(content), encoding="bytes")
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        stand_in = _STAND_INS.get((module, name))
        if stand_in is None:
            raise ForbiddenGlobalError(
                f"{self._path} was refused: it asks for {module}.{name}, which no official "
                f"image file contains and which could run code of the file's choosing; "
                f"nothing was run. Fetch the file again from its official source"
            )
        return stand_in


class _Array:
    """What a file says of an array: (version, shape, dtype, Fortran order, raw bytes)."""

    __slots__ = ("state",)

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def to_numpy(self) -> np.ndarray:
        _, shape, dtype, fortran, raw = self.state
        flat = np.frombuffer(raw, dtype=dtype.to_numpy())
        return flat.reshape(shape, order="F" if fortran else "C")


class _Dtype:
    """What a file says of a dtype: its code, e.g. ``u1``, and its byte order."""

    __slots__ = ("code", "state")

    def __init__(self, code: Any) -> None:
        self.code, self.state = _text(code), (3, "|")

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def to_numpy(self) -> np.dtype:
        if self.code not in ("u1", "i4", "i8", "f4", "f8"):
            raise TypeError(f"arrays of dtype {self.code!r} are not images")
        return np.dtype(_text(self.state[1]) + self.code)


# Instances without a __dict__, not functions or classes: a pickle can set attributes
# on what it names, and there is nothing to set on these.
class _MakeArray:
    __slots__ = ()

    def __call__(self, subtype: Any, shape: Any, code: Any) -> _Array:
        return _Array()


class _MakeDtype:
    __slots__ = ()

    def __call__(self, code: Any, align: Any = False, copy: Any = False) -> _Dtype:
        return _Dtype(code)


class _EncodeLatin1:
    """Python 3 writes bytes into old pickle formats as encode(text, "latin1")."""

    __slots__ = ()

    def __call__(self, text: str, encoding: str) -> bytes:
        if encoding != "latin1":
            raise ValueError(f"bytes are written as latin1; got {encoding!r}")
        return text.encode("latin1")


class _EmptyBytes:
    """... and empty bytes as bytes()."""

    __slots__ = ()

    def __call__(self) -> bytes:
        return b""


_STAND_INS = {
    ("numpy.core.multiarray", "_reconstruct"): _MakeArray(),
    ("numpy._core.multiarray", "_reconstruct"): _MakeArray(),  # the name since NumPy 2
    ("numpy", "ndarray"): object(),
    ("numpy", "dtype"): _MakeDtype(),
    ("_codecs", "encode"): _EncodeLatin1(),
    ("__builtin__", "bytes"): _EmptyBytes(),
}


def _plain(value: Any) -> Any:
    return value.to_numpy() if isinstance(value, _Array) else value


def _text(word: Any) -> str:
    return word.decode("latin1") if isinstance(word, bytes) else str(word)
