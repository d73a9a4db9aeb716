"""Unpickle other people's files without running anything that they contain.

An ordinary unpickler calls whatever function a file names. This one knows only the
names in a table, which the reader of a file format gives it, and answers each with an
inert stand-in; a file that names anything else is refused before anything is called.

A stand-in for a function is an instance without a ``__dict__``, not a function or a
class: a pickle can set attributes on what it names, and there is nothing to set on it.
"""

import io
import mmap
import pickle
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

from testbed.basis.errors import ToolkitError
from testbed.basis.foreign_text import described, shown
from testbed.files.pickle_scan import LIMITS, Limits, check_pickle

__all__ = ["NUMPY_NAMES", "Dtype", "RefusedNameError", "SafeUnpickler", "text"]


class RefusedNameError(ToolkitError, pickle.UnpicklingError):
    """A pickle names a function or class that is not in the reader's table.

    Attributes:
        name: the refused name, as ``module.name``, cleaned and cut.
    """

    def __init__(self, name: str) -> None:
        self.name = shown(name)
        super().__init__(f"it asks for {self.name}")


class SafeUnpickler(pickle.Unpickler):
    """An unpickler that finds the names of a table and nothing else.

    The pickle is looked through first, see `testbed.files.pickle_scan`: it is not loaded if it
    would take more memory or time than its limits allow.

    Args:
        file: the opened pickle, in memory or on disk.
        stand_ins: the object that replaces each allowed (module, name).
        encoding: how the text of Python 2 is decoded, as in `pickle.load`.
        limits: what the pickle may hold.

    Raises:
        RefusedNameError: from ``load``, if the pickle names anything else.
        ValueError: from ``load``, if it is beyond the limits, or is none.
        EOFError: from ``load``, if it is cut short.
    """

    def __init__(
        self,
        file: BinaryIO,
        stand_ins: Mapping[tuple[str, str], Any],
        encoding: str = "ASCII",
        limits: Limits = LIMITS,
    ) -> None:
        super().__init__(file, encoding=encoding)
        self._file, self._stand_ins, self._limits = file, stand_ins, limits

    def load(self) -> Any:
        """Return the object that the pickle describes."""
        if isinstance(self._file, io.BytesIO):
            # Not getbuffer, which copies.
            check_pickle(self._file.getvalue(), self._file.tell(), self._limits)
        else:
            with mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                check_pickle(content, self._file.tell(), self._limits)
        return super().load()

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in of a name."""
        if (module, name) not in self._stand_ins:
            raise RefusedNameError(f"{module}.{name}")
        return self._stand_ins[module, name]


class Dtype:
    """A NumPy dtype as its file describes it: its code, e.g. ``u1``, and its byte order."""

    __slots__ = ("code", "state")

    def __init__(self, code: Any) -> None:
        self.code, self.state = text(code), (3, "|")

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def to_numpy(self) -> np.dtype:
        """Return the dtype.

        Raises:
            TypeError: if it is not the dtype of one of the plain numbers that data files hold.
        """
        order = text(self.state[1])
        if self.code not in ("u1", "i4", "i8", "f4", "f8") or order not in ("<", ">", "|", "="):
            raise TypeError(
                f"values of dtype {described(self.code)} are not images, accuracies or weights"
            )
        return np.dtype(order + self.code)


class _MakeDtype:
    __slots__ = ()

    def __call__(self, code: Any, align: Any = False, copy: Any = False) -> Dtype:
        return Dtype(code)


class _EncodeLatin1:
    """Stands in for ``encode``: Python 3 writes bytes as encode(text, "latin1") in old formats."""

    __slots__ = ()

    def __call__(self, text: str, encoding: str) -> bytes:
        if encoding != "latin1":
            raise ValueError(f"bytes are written as latin1; got {described(encoding)}")
        return text.encode("latin1")


# What every pickle of NumPy's numbers names, of one or of many.
NUMPY_NAMES: Mapping[tuple[str, str], Any] = {
    ("numpy", "dtype"): _MakeDtype(),
    ("_codecs", "encode"): _EncodeLatin1(),
}


def text(word: Any) -> str:
    """Return a word as text; bytes, as Python 2 writes text, are decoded.

    Raises:
        TypeError: if it is neither: what a foreign object says of itself is not asked for.
    """
    if not isinstance(word, bytes | str):
        raise TypeError(f"expected a word; got {described(word)}")
    return word.decode("latin1") if isinstance(word, bytes) else word
