"""An ``.npz`` file of images and labels, as ``numpy.savez`` writes it.

Arrays are called ``images`` and ``labels``, ``x`` and ``y``, ``data`` and ``targets``, or by
another two of the words below; with ``train`` and ``test`` before or behind (``x_train``,
``test_images``) they are splits. Arrays of ``numpy.savez`` are not read into memory. Nothing in
them is unpickled.
"""

import math
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from testbed.basis.foreign_text import quoted, shown
from testbed.files.plain_arrays import check_header
from testbed.images.errors import DataFileError, MissingDataError
from testbed.images.own.option import OwnImages
from testbed.images.own.reader import SPLIT_WORDS, Opened, Stamp, chosen_splits

__all__ = ["open_npz"]

IMAGE_WORDS = ("images", "image", "x", "X", "data", "pixels", "arr_0")
LABEL_WORDS = ("labels", "label", "y", "Y", "targets", "target", "arr_1")
MOST_UNPACKED = 2**30  # bytes of a compressed array, which has to be in memory as a whole
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
            self._array = _array(self.path, self.member)
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


def open_npz(option: OwnImages) -> Opened:
    """Find the arrays of an ``.npz`` file, and look at their values.

    Raises:
        MissingDataError: if it is not there.
        DataFileError: if it is damaged, or its arrays are not images and labels.
    """
    path = option.path
    if not path.is_file():
        raise MissingDataError(f"there is no file {path}; expected one of numpy.savez")
    stamp = Stamp()
    stamp.add(path)
    pairs, left = _pairs(option, _members(path))
    readers = {}
    all_labels = {split: _labels(path, label) for split, (_, label) in pairs.items()}
    numbers, classes = _numbered(all_labels)
    for split, (image, label) in pairs.items():
        reader = NpzReader(path, f"{image}.npy", numbers[split])
        _look(option, reader, label)
        readers[split] = reader
    kinds = {(reader.scale, reader.levels) for reader in readers.values()}
    if len(kinds) > 1:
        raise DataFileError(f"{path}: train and test are of different ranges; add scale=")
    notes = [f"the arrays {', '.join(map(quoted, left))} were left out"] if left else []
    notes += [note for reader in readers.values() for note in _rounding(reader)]
    return Opened(readers, classes, stamp, kinds.pop()[1], tuple(notes))


def _members(path: Path) -> list[str]:
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


def _pairs(option: OwnImages, names: list[str]) -> tuple[dict[str, tuple[str, str]], list[str]]:
    """Return the names of images and labels by split, and those of the arrays left out."""
    if option.image is not None or option.label is not None:
        pair = (option.image or "images", option.label or "labels")
        for name in pair:
            if name not in names:
                there = ", ".join(quoted(one, 40) for one in names[:12])
                raise DataFileError(f"{option.path} has no array {quoted(name)}; there are {there}")
        return {"all": pair}, []
    found: dict[str, list[tuple[str, str]]] = {}
    for split in ("", *(word for words in SPLIT_WORDS.values() for word in words)):
        forms = (lambda word: f"{split}_{word}", lambda word: f"{word}_{split}")  # noqa: B023
        images, labels = (
            [form(word) for word in words for form in forms if form(word) in names]
            if split
            else [word for word in words if word in names]
            for words in (IMAGE_WORDS, LABEL_WORDS)
        )
        if len(images) == len(labels) == 1:
            found[split] = [(images[0], labels[0])]
        elif images or labels:
            found[split] = [(image, label) for image in images for label in labels]
    unclear = [split for split, pairs in found.items() if len(pairs) != 1]
    if not found or unclear:
        there = ", ".join(quoted(name, 40) for name in names[:12])
        raise DataFileError(
            f"{option.path}: expected one array of images and one of labels, called images and "
            f"labels, x and y, or x_train, y_train, x_test, y_test; got {there}; name them with "
            "image= and label="
        )
    chosen, _ = chosen_splits(list(found), option.path)
    pairs = {split: found[word][0] for split, word in chosen.items()}
    used = {name for pair in pairs.values() for name in pair}
    return pairs, [name for name in names if name not in used]


def _array(path: Path, member: str) -> np.ndarray:
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


def _labels(path: Path, name: str) -> np.ndarray:
    labels = _array(path, f"{name}.npy")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    where = f"{path}: {quoted(name)}"
    if labels.ndim != 1:
        one_hot = "; of one-hot rows store argmax(1)" if labels.ndim == 2 else ""
        raise DataFileError(
            f"{where}: expected a label an image, (N,); got {labels.shape}{one_hot}"
        )
    if labels.dtype.kind == "f" and np.isfinite(labels).all() and (labels == labels.round()).all():
        labels = labels.astype(np.int64)
    if labels.dtype.kind not in "iuUS":
        raise DataFileError(f"{where}: expected whole numbers or names; got {labels.dtype}")
    return np.asarray(labels)


def _numbered(
    labels: dict[str, np.ndarray],
) -> tuple[dict[str, NDArray[np.int64]], tuple[str, ...]]:
    """Return labels from 0, and the names of the classes in the order of these."""
    first = next(iter(labels.values()))
    if any((found.dtype.kind in "US") != (first.dtype.kind in "US") for found in labels.values()):
        raise DataFileError("the labels of one split are names, of the other numbers")
    if first.dtype.kind in "US":
        names = np.unique(np.concatenate([found.astype(str) for found in labels.values()]))
        numbers = {s: np.searchsorted(names, found.astype(str)) for s, found in labels.items()}
        return numbers, tuple(names.tolist())
    low = min((int(found.min()) for found in labels.values() if len(found)), default=0)
    high = max((int(found.max()) for found in labels.values() if len(found)), default=-1)
    if low < 0 or high > 10**6:
        raise DataFileError(f"expected labels from 0 to classes − 1; got {low} to {high}")
    if high < 1:
        raise DataFileError(f"expected at least two classes; the largest label is {high}")
    if low > 0:
        raise DataFileError(f"expected labels from 0; got {low} to {high}: subtract {low}")
    return (
        {split: found.astype(np.int64) for split, found in labels.items()},
        tuple(map(str, range(high + 1))),
    )


def _look(option: OwnImages, reader: NpzReader, label: str) -> None:
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


def _rounding(reader: NpzReader) -> Iterator[str]:
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
