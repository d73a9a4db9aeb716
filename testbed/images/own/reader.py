"""What the readers of a user's own images have in common."""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from testbed.basis.foreign_text import quoted
from testbed.images.errors import DataFileError

__all__ = ["SPLIT_WORDS", "Content", "Opened", "Reader", "Stamp", "chosen_splits"]

# A file as it lies on the disk, or an array (H, W, C).
Content = bytes | NDArray[np.uint8]
SPLIT_WORDS: Mapping[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "test": ("test", "testing", "val", "valid", "validation"),
}


class Reader(Protocol):
    """Images in the order of their storage; picklable, and cheap to send."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """Return the labels, (N,)."""
        ...

    def name(self, row: int) -> str:
        """Return what an image is called."""
        ...

    def only(self, rows: NDArray[np.int64]) -> "Reader":
        """Return a reader of these images alone, by the same numbers; it knows no labels."""
        ...

    def contents(self, rows: Sequence[int]) -> Iterator[Content]:
        """Yield images, of ascending rows, as they are stored.

        Raises:
            DataFileError: if one cannot be read; the others are still to be had.
        """
        ...


class Stamp:
    """What tells that a file was changed, without reading it: its size and its time.

    Attributes:
        newest: the latest time of a change, in seconds.
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self.newest = 0.0

    def add(self, path: str | Path) -> None:
        """Note a file; one that is not there is noted too."""
        try:
            found = os.stat(path)
            facts = (found.st_size, found.st_mtime_ns, found.st_ctime_ns)
            self.newest = max(self.newest, found.st_mtime, found.st_ctime)
        except OSError:
            facts = (0, 0, 0)
        self._digest.update(os.fsencode(path) + repr(facts).encode())

    @property
    def text(self) -> str:
        """Return a text that is another one once a file changed."""
        return self._digest.hexdigest()


@dataclass(frozen=True)
class Opened:
    """What a reader found.

    Attributes:
        splits: ``train`` and ``test``, or ``all`` for images that come in one piece.
        classes: the names of the classes, in the order of their labels.
        stamp: of the files.
        levels: the grey level of arrays that is 1.0.
        notes: what is worth knowing.
    """

    splits: Mapping[str, Reader]
    classes: tuple[str, ...]
    stamp: Stamp
    levels: int = 255
    notes: tuple[str, ...] = field(default=())


def chosen_splits(names: Sequence[str], where: object) -> tuple[dict[str, str], list[str]]:
    """Return which of some names are the training and the test images, and which are neither.

    A single split is all there is: ``{"all": name}``.

    Raises:
        DataFileError: if there are several, and no training images among them.
    """
    if len(names) == 1:
        return {"all": names[0]}, []
    chosen = {}
    for split, words in SPLIT_WORDS.items():
        for word in words:
            there = [name for name in names if name.lower() == word]
            if there and split not in chosen:
                chosen[split] = there[0]
    if set(chosen) != set(SPLIT_WORDS):
        known = ", ".join(map(quoted, names))
        raise DataFileError(f"{where}: expected train, and test or validation; got {known}")
    return chosen, [name for name in names if name not in chosen.values()]
