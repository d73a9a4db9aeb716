"""A tree of class folders: ``pets/cat/1.png``, or ``pets/train/cat/1.png`` and ``pets/test/…``.

The names of the class folders, in the order of their text, are the labels from 0, as
torchvision's ``ImageFolder`` numbers them. Images may lie in folders of a class folder. Links are
followed, but not in a circle; what is hidden is not looked at.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from testbed.basis.foreign_text import quoted, shown
from testbed.images.errors import DataFileError, MissingDataError
from testbed.images.own.option import OwnImages
from testbed.images.own.pictures import ENDINGS
from testbed.images.own.reader import SPLIT_WORDS, Opened, Stamp, chosen_splits

__all__ = ["open_folder"]

MOST = 5  # names in a message
_WORDS = {word for words in SPLIT_WORDS.values() for word in words}


@dataclass(frozen=True, eq=False)
class FolderReader:
    """The images of class folders.

    Attributes:
        root: of the files.
        files: relative to it, by their numbers.
        labels: of the files.
    """

    root: Path
    files: Sequence[str] | Mapping[int, str]
    labels: NDArray[np.int64]

    def name(self, row: int) -> str:
        """Return the file, from the folder that the user named."""
        return self.files[row]

    def only(self, rows: NDArray[np.int64]) -> "FolderReader":
        """Return a reader of these files alone."""
        files = {int(row): str(self.files[row]) for row in rows.tolist()}
        return FolderReader(self.root, files, np.empty(0, dtype=np.int64))

    def contents(self, rows: Sequence[int]) -> Iterator[bytes]:
        """Yield the files; one that cannot be read is empty, which no image is."""
        for row in rows:
            path = self.root / self.files[row]
            try:
                # A pipe would keep us waiting for ever.
                yield path.read_bytes() if path.is_file() else b""
            except OSError:
                yield b""


class _Listing:
    """What a walk through folders found."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.stamp = Stamp()
        self.others = 0

    def images(self, folder: Path, ancestors: tuple[tuple[int, int], ...] = ()) -> list[str]:
        """Return the images below a folder, from the root, in the order of their names."""
        found: list[str] = []
        here = _identity(folder)
        if here in ancestors:
            return found
        for entry in _entries(folder):
            if entry.is_dir():
                found += self.images(Path(entry.path), (*ancestors, here))
            elif entry.name.lower().endswith(ENDINGS):
                found.append(os.path.relpath(entry.path, self.root))
                self.stamp.add(entry.path)
            else:
                self.others += 1
        return found


def open_folder(option: OwnImages) -> Opened:
    """List a folder of class folders.

    Raises:
        MissingDataError: if it is not there.
        DataFileError: if it holds no class folders, or their classes do not fit each other.
    """
    root = option.path
    if not root.is_dir():
        what = "a file" if root.exists() else "not there"
        raise MissingDataError(
            f"{root} is {what}; expected a folder of class folders: {root}/<class>/<image>.png, or "
            "train and test folders of them"
        )
    folders = [Path(entry.path) for entry in _entries(root) if entry.is_dir()]
    listing = _Listing(root)
    if len(folders) > 1 and all(folder.name.lower() in _WORDS for folder in folders):
        named, left = chosen_splits([folder.name for folder in folders], root)
        places = {split: root / name for split, name in named.items()}
    else:
        places, left = {"all": root}, []
    trees = {split: _tree(place, listing) for split, place in places.items()}
    classes = _classes(trees, places)
    readers = {}
    for split, tree in trees.items():
        files = [(file, classes.index(name)) for name, there in tree.items() for file in there]
        labels = np.array([label for _, label in files], dtype=np.int64)
        readers[split] = FolderReader(root, tuple(file for file, _ in files), labels)
    return Opened(readers, classes, listing.stamp, notes=tuple(_notes(listing, left, classes)))


def _tree(folder: Path, listing: _Listing) -> dict[str, list[str]]:
    """Return the images of each class folder."""
    tree: dict[str, list[str]] = {}
    loose = 0
    for entry in _entries(folder):
        if entry.is_dir():
            tree[entry.name] = listing.images(Path(entry.path), (_identity(folder),))
        else:
            loose += entry.name.lower().endswith(ENDINGS)
            listing.others += 1
    if not tree:
        raise DataFileError(
            f"{folder} holds no class folders but {loose} images; expected "
            f"{folder}/<class>/<image>.png"
        )
    return tree


def _classes(trees: dict[str, dict[str, list[str]]], places: dict[str, Path]) -> tuple[str, ...]:
    first, place = next(iter(trees.values())), next(iter(places.values()))
    classes = tuple(sorted(first))
    empty = [name for name in classes if not first[name]]
    if empty:
        # Leaving them out would number the other classes otherwise than the networks do.
        raise DataFileError(
            f"{place}: no images in the class folders {_few(empty)} (of {len(classes)}); add some "
            f"({', '.join(ENDINGS)}) or remove them"
        )
    if len(classes) < 2:
        raise DataFileError(
            f"{place} holds one class folder, {_few(classes)}; expected one for each of at least "
            "two classes"
        )
    for split, tree in trees.items():
        other = [name for name in tree if name not in classes]
        if other:
            raise DataFileError(
                f"{places[split]}: the class folders {_few(other)} are not in {place}"
            )
    return classes


def _notes(listing: _Listing, left: list[str], classes: Sequence[str]) -> Iterator[str]:
    if listing.others:
        yield f"{listing.others} files that are no images of a class were left out"
    if left:
        yield f"the folders {_few(left)} were left out"
    if all(name.isascii() and name.isdigit() for name in classes):
        moved = [i for i, name in enumerate(classes) if int(name) != i]
        if moved:
            yield (
                f"class folders are numbered in the order of their text: label {moved[0]} is the "
                f"folder {classes[moved[0]]}"
            )


def _entries(folder: Path) -> list[os.DirEntry]:
    """Return what is not hidden in a folder, in the order of the names."""
    try:
        with os.scandir(folder) as entries:
            there = [entry for entry in entries if entry.name[0] not in "._" or _plain(entry.name)]
    except OSError as error:
        raise DataFileError(f"cannot read the folder {folder}: {error.strerror}") from error
    return sorted(there, key=lambda entry: entry.name)


def _plain(name: str) -> bool:
    return name[0] == "_" and name != "__MACOSX"


def _identity(folder: Path) -> tuple[int, int]:
    try:
        found = folder.stat()
    except OSError as error:
        raise DataFileError(f"cannot read the folder {folder}: {error.strerror}") from error
    return found.st_dev, found.st_ino


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return ", ".join(quoted(shown(name, 60)) for name in names[:MOST]) + more
