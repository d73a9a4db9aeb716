"""An ``.npz`` file of images and labels, as ``numpy.savez`` writes it.

Arrays are called ``images`` and ``labels``, ``x`` and ``y``, ``data`` and ``targets``, or by
another two of the words below; with ``train`` and ``test`` before or behind (``x_train``,
``test_images``) they are splits. Arrays of ``numpy.savez`` are not read into memory. Nothing in
them is unpickled.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from testbed.basis.foreign_text import quoted
from testbed.images.errors import DataFileError, MissingDataError
from testbed.images.own.npz_arrays import array_of, members
from testbed.images.own.npz_pixels import NpzReader, look, rounding
from testbed.images.own.option import OwnImages
from testbed.images.own.reader import SPLIT_WORDS, Opened, Stamp, chosen_splits

__all__ = ["open_npz"]

IMAGE_WORDS = ("images", "image", "x", "X", "data", "pixels", "arr_0")
LABEL_WORDS = ("labels", "label", "y", "Y", "targets", "target", "arr_1")


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
    pairs, left = _pairs(option, members(path))
    readers = {}
    all_labels = {split: _labels(path, label) for split, (_, label) in pairs.items()}
    numbers, classes = _numbered(all_labels)
    for split, (image, label) in pairs.items():
        reader = NpzReader(path, f"{image}.npy", numbers[split])
        look(option, reader, label)
        readers[split] = reader
    kinds = {(reader.scale, reader.levels) for reader in readers.values()}
    if len(kinds) > 1:
        raise DataFileError(f"{path}: train and test are of different ranges; add scale=")
    notes = [f"the arrays {', '.join(map(quoted, left))} were left out"] if left else []
    notes += [note for reader in readers.values() for note in rounding(reader)]
    return Opened(readers, classes, stamp, kinds.pop()[1], tuple(notes))


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


def _labels(path: Path, name: str) -> np.ndarray:
    labels = array_of(path, f"{name}.npy")
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
