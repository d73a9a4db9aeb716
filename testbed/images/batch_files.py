"""The layout that CIFAR and ImageNet16 share: a folder of pickled batch files.

A batch file is a dictionary with ``data``, uint8 (N, C·H·W), one image a row and its
channels one after the other, and a list of N labels.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from testbed.basis.foreign_text import described
from testbed.images.errors import DataFileError, MissingDataError
from testbed.images.safe_pickle import load_dictionary

__all__ = ["batch_paths", "read_batch"]


def batch_paths(root: Path, folder: str, files: Sequence[str], advice: str) -> list[Path]:
    """Return the paths of a data set's batch files.

    Args:
        root: the data set's folder itself, or the one that holds it.
        folder: the official name of the data set's folder.
        files: the names of the batch files.
        advice: how to get the data, for the error.

    Raises:
        MissingDataError: if the folder or one of its files is not there.
    """
    inside = root / folder
    itself = root.name == folder or any((root / name).is_file() for name in files)
    home = root if itself and not inside.is_dir() else inside
    missing = [name for name in files if not (home / name).is_file()]
    if not home.is_dir():
        raise MissingDataError(
            f"no folder {home}, expected to hold {', '.join(files)}; "
            f"give --data-root the folder {folder} or the one that holds it, or {advice}"
        )
    if missing:
        raise MissingDataError(
            f"the folder {home} lacks {', '.join(missing)}; complete it, or remove it and {advice}"
        )
    return [home / name for name in files]


def read_batch(
    path: Path, label_key: str, shape: tuple[int, int, int], label_range: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the images, uint8 (N, C, H, W), and labels, int64 (N,), of a batch file.

    Args:
        path: the path of the file.
        label_key: the key under which the file holds its labels.
        shape: the shape (C, H, W) of an image.
        label_range: the smallest and the largest label.

    Raises:
        DataFileError: if the file is unreadable or its content does not fit.
    """
    content = load_dictionary(path)
    absent = [key for key in ("data", label_key) if key not in content]
    if absent:
        raise DataFileError(f"{path} has no {absent}; it has {described(content)}")
    data, labels = content["data"], content[label_key]
    width = int(np.prod(shape))
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape[1:] != (width,):
        got = f"{data.dtype} {data.shape}" if isinstance(data, np.ndarray) else type(data).__name__
        raise DataFileError(f"{path}: expected data as uint8 (N, {width}); got {got}")
    return data.reshape(-1, *shape), _checked_labels(path, labels, len(data), label_range)


def _checked_labels(
    path: Path, labels: object, count: int, label_range: tuple[int, int]
) -> np.ndarray:
    low, high = label_range
    if not isinstance(labels, list | np.ndarray) or len(labels) != count:
        got = f"{len(labels)}" if isinstance(labels, list | np.ndarray) else type(labels).__name__
        raise DataFileError(f"{path}: expected a list of {count} labels, one a row; got {got}")
    wrong = [label for label in labels if not (_is_whole(label) and low <= label <= high)]
    if wrong:
        raise DataFileError(
            f"{path}: expected labels from {low} to {high}; got {described(wrong[0])}"
        )
    return np.array(labels, dtype=np.int64)


def _is_whole(label: object) -> bool:
    # True is an int to Python.
    return type(label) is int or isinstance(label, np.integer)
