"""The pixels of an array: how it lies, which value is white, and images as grey levels."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbed.basis.foreign_text import quoted
from testbed.images.errors import DataFileError
from testbed.images.own.npz_arrays import array_of
from testbed.images.own.option import OwnImages

__all__ = ["NpzReader", "look", "rounding"]

STEP = 256
LAYOUTS = "(N, H, W), (N, H, W, C) or (N, C, H, W) with C 1 or 3"


@dataclass
class NpzReader:
    """The images of an array.

    Attributes:
        path: of the file.
        member: of the array, in the file.
        labels: int64 (N,).
        channels_first: whether images are (C, H, W).
        scale: the value that stands for 1.0.
        levels: the grey level that stands for 1.0.
    """

    path: Path
    member: str
    labels: NDArray[np.int64]
    channels_first: bool = False
    scale: float = 255.0
    levels: int = 255
    _array: np.ndarray | None = field(default=None, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_array": None}

    @property
    def array(self) -> np.ndarray:
        """Return the array as it stands in the file."""
        if self._array is None:
            self._array = array_of(self.path, self.member)
        return self._array

    def name(self, row: int) -> str:
        """Return the place of an image."""
        return f"{self.member.removesuffix('.npy')}[{row}]"

    def only(self, rows: NDArray[np.int64]) -> "NpzReader":
        """Return a reader that knows no labels, which nobody asks for any more."""
        return replace(self, labels=np.empty(0, dtype=np.int64))

    def contents(self, rows: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        """Yield images as grey levels, (H, W, C)."""
        for row in rows:
            image = self.array[row]
            image = image[:, :, None] if image.ndim == 2 else image
            image = image.transpose(1, 2, 0) if self.channels_first else image
            yield np.ascontiguousarray(self._in_levels(image))

    def _in_levels(self, image: np.ndarray) -> NDArray[np.uint8]:
        if image.dtype.kind in "iub" and self.scale == self.levels:
            return image.astype(np.uint8)
        return np.round(image.astype(np.float64) * (self.levels / self.scale)).astype(np.uint8)


def look(option: OwnImages, reader: NpzReader, label: str) -> None:
    """Find the layout and the range of an array of images."""
    array, where = reader.array, f"{reader.path}: {quoted(reader.member.removesuffix('.npy'))}"
    if len(array) != len(reader.labels) if array.ndim else True:
        raise DataFileError(
            f"{where} has shape {array.shape}; expected {len(reader.labels)} images, as many as "
            f"{quoted(label)} has labels"
        )
    reader.channels_first = _channels_first(option, array, where)
    if array.dtype.kind not in "iubf" or not array.size:
        raise DataFileError(f"{where}: expected numbers; got {array.dtype} {array.shape}")
    low, high, whole = _range(array, where)
    if low < 0:
        raise DataFileError(
            f"{where}: values from {low:g} to {high:g}; expected pixels from 0 to 1 or from 0 to "
            "255, before any normalisation"
        )
    reader.scale = option.scale if option.scale is not None else _scale(array, high, whole, where)
    if high > reader.scale:
        raise DataFileError(f"{where}: values up to {high:g}; scale={reader.scale:g} is white")
    # Few grey levels are kept as they are, as those of the digits: their 255ths are no whole ones.
    exact = array.dtype.kind in "iub" and reader.scale == int(reader.scale) <= 255
    reader.levels = int(reader.scale) if exact and option.size is None else 255


def _channels_first(option: OwnImages, array: np.ndarray, where: str) -> bool:
    shape = array.shape
    last, first = (len(shape) == 4 and shape[place] in (1, 3) for place in (3, 1))
    if option.layout is not None and len(shape) == 4:
        first = option.layout == "nchw" and first
        last = option.layout == "nhwc" and last
    if len(shape) == 3 and option.layout is None:
        return False
    if first == last:
        why = "which could be both: add layout=nhwc or layout=nchw" if first else "got neither"
        raise DataFileError(f"{where}: expected {LAYOUTS}; its shape is {shape}, {why}")
    return first


def _range(array: np.ndarray, where: str) -> tuple[float, float, bool]:
    low, high, whole = math.inf, -math.inf, True
    for start in range(0, len(array), STEP):
        part = np.asarray(array[start : start + STEP])
        low, high = min(low, float(part.min())), max(high, float(part.max()))
        if part.dtype.kind == "f":
            if not np.isfinite(part).all():
                raise DataFileError(f"{where}: a value is no finite number")
            whole = whole and bool((part == part.round()).all())
    return low, high, whole


def _scale(array: np.ndarray, high: float, whole: bool, where: str) -> float:
    if array.dtype.kind == "b" or (array.dtype.kind == "f" and high <= 1):
        return 1.0
    if high <= 1:
        raise DataFileError(
            f"{where}: {array.dtype} with values 0 and 1 only; add scale=1 if 1 is white, or "
            "scale=255"
        )
    if high <= 255 and whole:
        return 255.0
    raise DataFileError(
        f"{where}: {array.dtype} with values up to {high:g}; expected 0 to 1, or whole numbers up "
        "to 255; add scale= with the value that is white"
    )


def rounding(reader: NpzReader) -> Iterator[str]:
    """Say if values lie between the grey levels that are kept."""
    array = reader.array
    if reader.scale == reader.levels and array.dtype.kind in "iub":
        return
    for start in range(0, len(array), STEP):
        levels = np.asarray(array[start : start + STEP], np.float64) * reader.levels / reader.scale
        if np.abs(levels - levels.round()).max() > 1e-3:
            yield (
                f"{reader.member.removesuffix('.npy')} has values between the 256 grey levels: "
                "they are rounded"
            )
            return
