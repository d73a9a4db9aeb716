"""A Hugging Face data set on the disk: of ``save_to_disk``, or Parquet files as its hub has them.

Images are structs of ``bytes`` and ``path``, or bytes; the names of the classes are those of the
``ClassLabel`` in the features, which lie beside the data or in its schema. pyarrow reads them,
some rows at a time.
"""

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc

from testbed.basis.foreign_text import described, quoted
from testbed.files.strict_json import read_json
from testbed.images.errors import DataFileError, MissingDataError
from testbed.images.own.arrow_rows import Shard, TableReader, faults, opened, whole_column
from testbed.images.own.hugging_face_columns import (
    features_of,
    image_column,
    label_column,
    numbered,
)
from testbed.images.own.option import OwnImages
from testbed.images.own.reader import SPLIT_WORDS, Opened, Stamp, chosen_splits

__all__ = ["open_hugging_face"]

_WORDS = "|".join(word for words in SPLIT_WORDS.values() for word in words)
_SPLIT = re.compile(rf"(?:^|[-_.])({_WORDS})(?:$|[-_.])", re.IGNORECASE)


def open_hugging_face(option: OwnImages) -> Opened:
    """Find the files of a data set, and read its features and labels.

    Raises:
        MissingDataError: if there is no data set.
        DataFileError: if it is damaged, or not of images and labels.
    """
    if not option.path.exists():
        raise MissingDataError(
            f"there is nothing at {option.path}; expected a folder of save_to_disk, or Parquet "
            "files of images and labels"
        )
    files, left = _files(option.path)
    stamp = Stamp()
    for path in (path for paths in files.values() for path in paths):
        stamp.add(path)
    tables = {split: _read(option, paths) for split, paths in files.items()}
    names = {split: table[2] for split, table in tables.items()}
    if len(set(names.values())) > 1:
        raise DataFileError(f"{option.path}: train and test have other classes")
    classes, raw = next(iter(names.values())), {s: table[1] for s, table in tables.items()}
    numbers, classes = numbered(option.path, raw, classes)
    readers = {
        split: TableReader(shards, column, numbers[split])
        for split, (shards, _, _, column) in tables.items()
    }
    notes = (f"the splits {', '.join(map(quoted, left))} were left out",) if left else ()
    return Opened(readers, classes, stamp, notes=notes)


def _files(path: Path) -> tuple[dict[str, list[Path]], list[str]]:
    """Return the files of each split, and the splits that are neither."""
    if path.is_file():
        return {"all": [path]}, []
    listed = path / "dataset_dict.json"
    if listed.is_file():
        content = read_json(listed, DataFileError)
        splits = content.get("splits") if isinstance(content, dict) else None
        if not isinstance(splits, list) or not splits or not all(map(_is_name, splits)):
            raise DataFileError(f"{listed}: expected a list of splits; got {described(content)}")
        chosen, left = chosen_splits(splits, path)
        return {split: _saved(path / name) for split, name in chosen.items()}, left
    if (path / "state.json").is_file() or any(path.glob("*.arrow")):
        return {"all": _saved(path)}, []
    found = sorted(
        file for file in path.rglob("*.parquet")
        if file.is_file() and not any(p.startswith(".") for p in file.relative_to(path).parts)
    )  # fmt: skip
    if not found:
        raise MissingDataError(
            f"{path} holds neither state.json nor dataset_dict.json of save_to_disk, nor Parquet "
            "files"
        )
    by_split: dict[str, list[Path]] = {}
    for file in found:
        by_split.setdefault(_split_of(file, path), []).append(file)
    folders = {file.parent for file in found}
    if len(folders) > 1 and any(not _SPLIT.search(folder.name) for folder in folders):
        there = ", ".join(quoted(str(folder.relative_to(path))) for folder in sorted(folders))
        raise DataFileError(f"{path} holds Parquet files in several folders ({there}): name one")
    chosen, left = chosen_splits(list(by_split), path)
    return {split: by_split[name] for split, name in chosen.items()}, left


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"\w[\w.-]*", value))


def _split_of(file: Path, root: Path) -> str:
    for word in (file.stem, file.parent.name if file.parent != root else ""):
        found = _SPLIT.search(word)
        if found:
            return found[1].lower()
    return ""


def _saved(folder: Path) -> list[Path]:
    """Return the Arrow files of a folder that ``save_to_disk`` wrote, in order."""
    state = folder / "state.json"
    if not state.is_file():
        found = sorted(folder.glob("*.arrow"))
        if not found:
            raise MissingDataError(f"{folder} holds no state.json and no Arrow files")
        return found
    content = read_json(state, DataFileError)
    files = content.get("_data_files") if isinstance(content, dict) else None
    files = files if isinstance(files, list) else []
    names = [entry.get("filename") if isinstance(entry, dict) else None for entry in files]
    if not names or not all(map(_is_name, names)):
        raise DataFileError(f"{state}: expected a list of _data_files; got {described(content)}")
    if isinstance(content, dict) and content.get("_indices_data_files"):
        raise DataFileError(f"{folder} selects rows by indices; save it again with save_to_disk")
    return [folder / str(name) for name in names]


def _read(
    option: OwnImages, paths: list[Path]
) -> tuple[tuple[Shard, ...], list[pa.ChunkedArray], tuple[str, ...] | None, str]:
    """Return the files, their labels, the names of the classes and the column of the images."""
    shards, labels, found = [], [], None
    for path in paths:
        with faults(path):
            schema, shard = opened(path)
            features = features_of(schema, path)
            this = (
                image_column(option, features, schema, path),
                *label_column(option, features, schema, path),
            )
            if found is not None and this != found:
                raise DataFileError(f"{path} has other columns or classes than {paths[0]}")
            found = this
            labels.append(whole_column(shard, this[1]))
            shards.append(shard)
    if found is None:
        raise DataFileError(f"{option.path} has no files")
    return tuple(shards), labels, found[2], found[0]
