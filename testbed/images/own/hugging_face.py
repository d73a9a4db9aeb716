"""A Hugging Face data set on the disk: of ``save_to_disk``, or Parquet files as its hub has them.

Images are structs of ``bytes`` and ``path``, or bytes; the names of the classes are those of the
``ClassLabel`` in the features, which lie beside the data or in its schema. pyarrow reads them,
some rows at a time.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from testbed.basis.foreign_text import described, quoted, shown
from testbed.files.strict_json import parse_json, read_json
from testbed.images.errors import DataFileError, MissingDataError
from testbed.images.own.option import OwnImages
from testbed.images.own.reader import SPLIT_WORDS, Opened, Stamp, chosen_splits

__all__ = ["open_hugging_face"]

ROWS = 64  # that are in memory at once
LABEL_WORDS = ("label", "labels", "target", "class", "fine_label")
_WORDS = "|".join(word for words in SPLIT_WORDS.values() for word in words)
_SPLIT = re.compile(rf"(?:^|[-_.])({_WORDS})(?:$|[-_.])", re.IGNORECASE)
_END = b"\xff\xff\xff\xff\0\0\0\0"  # of an Arrow stream
_Features = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class _Shard:
    """A file of rows; ``groups`` are the row groups of a Parquet file."""

    path: Path
    rows: int
    groups: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class TableReader:
    """The images of a column of some files.

    Attributes:
        shards: the files, in order.
        column: of the images.
        labels: int64 (N,).
    """

    shards: tuple[_Shard, ...]
    column: str
    labels: NDArray[np.int64]

    def name(self, row: int) -> str:
        """Return the file and the row of an image."""
        for shard in self.shards:
            if row < shard.rows:
                return f"{shard.path.name}, row {row}"
            row -= shard.rows
        return f"row {row}"

    def only(self, rows: NDArray[np.int64]) -> "TableReader":
        """Return a reader that knows no labels, which nobody asks for any more."""
        return replace(self, labels=np.empty(0, dtype=np.int64))

    def contents(self, rows: Sequence[int]) -> Iterator[bytes]:
        """Yield the bytes of images; none where the file holds a path only."""
        wanted, begin = list(rows), 0
        for shard in self.shards:
            here = [row - begin for row in wanted if begin <= row < begin + shard.rows]
            if here:
                with _faults(shard.path):
                    yield from self._of_shard(shard, here)
            begin += shard.rows

    def _of_shard(self, shard: _Shard, rows: list[int]) -> Iterator[bytes]:
        place = 0
        for start, batch in _batches(shard, self.column, rows):
            column = batch.column(self.column)
            if pa.types.is_struct(column.type):
                column = column.field("bytes")
            while place < len(rows) and rows[place] < start + len(batch):
                yield column[rows[place] - start].as_py() or b""
                place += 1
            if place == len(rows):
                return


def _batches(shard: _Shard, column: str, rows: list[int]) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield (first row, some rows) of a file, without those before and after the wanted ones."""
    begin = 0
    if not shard.groups:
        with pa.memory_map(str(shard.path)) as source:
            for batch in pa.ipc.open_stream(source):
                if begin + len(batch) > rows[0]:
                    yield begin, batch
                begin += len(batch)
        return
    with pq.ParquetFile(shard.path, buffer_size=2**20, pre_buffer=False) as file:
        for group, count in enumerate(shard.groups):
            if any(begin <= row < begin + count for row in rows):
                start = begin
                for batch in file.iter_batches(ROWS, row_groups=[group], columns=[column]):
                    yield start, batch
                    start += len(batch)
            begin += count


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
    numbers, classes = _numbered(option.path, raw, classes)
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
) -> tuple[tuple[_Shard, ...], list[pa.ChunkedArray], tuple[str, ...] | None, str]:
    """Return the files, their labels, the names of the classes and the column of the images."""
    shards, labels, found = [], [], None
    for path in paths:
        with _faults(path):
            schema, shard = _opened(path)
            features = _features(schema, path)
            this = (_image(option, features, schema, path), *_label(option, features, schema, path))
            if found is not None and this != found:
                raise DataFileError(f"{path} has other columns or classes than {paths[0]}")
            found = this
            labels.append(_column(shard, this[1]))
            shards.append(shard)
    if found is None:
        raise DataFileError(f"{option.path} has no files")
    return tuple(shards), labels, found[2], found[0]


def _opened(path: Path) -> tuple[pa.Schema, _Shard]:
    if path.suffix == ".parquet":
        with pq.ParquetFile(path) as file:
            facts = file.metadata
            groups = tuple(facts.row_group(i).num_rows for i in range(facts.num_row_groups))
            return file.schema_arrow, _Shard(path, sum(groups), groups or (0,))
    with path.open("rb") as file:
        file.seek(-min(len(_END), path.stat().st_size), 2)
        if file.read() != _END:  # pyarrow takes what there is for the whole
            raise DataFileError(f"{path} is cut short, or no Arrow stream")
    with pa.memory_map(str(path)) as source:
        reader = pa.ipc.open_stream(source)
        count = 0
        for batch in reader:
            batch.validate(full=True)
            count += len(batch)
        return reader.schema, _Shard(path, count)


def _column(shard: _Shard, name: str) -> pa.ChunkedArray:
    if shard.groups:
        return pq.read_table(shard.path, columns=[name]).column(0)
    with pa.memory_map(str(shard.path)) as source:
        reader = pa.ipc.open_stream(source)
        place = reader.schema.get_field_index(name)
        kind = reader.schema.field(place).type
        # A copy: the file is closed behind it.
        chunks = [pa.array(batch.column(place).to_pylist(), kind) for batch in reader]
        return pa.chunked_array(chunks, kind)


def _features(schema: pa.Schema, path: Path) -> _Features:
    """Return the features beside the file, or in its schema; none where there are none."""
    text = (schema.metadata or {}).get(b"huggingface")
    info: Any = None
    if (path.parent / "dataset_info.json").is_file():  # what load_from_disk goes by
        info = read_json(path.parent / "dataset_info.json", DataFileError)
    elif text is not None:
        content = parse_json(text.decode("utf-8", "replace"), f"{path}", DataFileError)
        info = content.get("info") if isinstance(content, dict) else None
    features = info.get("features") if isinstance(info, dict) else None
    if not isinstance(features, dict):
        return {}
    return {name: value for name, value in features.items() if isinstance(value, dict)}


def _image(option: OwnImages, features: _Features, schema: pa.Schema, path: Path) -> str:
    there = [name for name in schema.names if features.get(name, {}).get("_type") == "Image"]
    there = there or [name for name in schema.names if _holds_images(schema.field(name).type)]
    name = _one(option.image, there, schema, path, "image")
    if not _holds_images(schema.field(name).type):
        raise DataFileError(
            f"{path}: column {quoted(name)} is {schema.field(name).type}; expected images, a "
            "struct of bytes and path"
        )
    return name


def _holds_images(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        place = kind.get_field_index("bytes")
        return place >= 0 and _is_bytes(kind.field(place).type)
    return _is_bytes(kind)


def _is_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _label(
    option: OwnImages, features: _Features, schema: pa.Schema, path: Path
) -> tuple[str, tuple[str, ...] | None]:
    kinds = {name: features.get(name, {}).get("_type") for name in schema.names}
    there = [name for name, kind in kinds.items() if kind == "ClassLabel"]
    there = there or [name for name in LABEL_WORDS if name in schema.names]
    name = _one(option.label, there, schema, path, "label")
    names = features.get(name, {}).get("names") if kinds[name] == "ClassLabel" else None
    if names is None:
        return name, None
    if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
        raise DataFileError(f"{path}: names of {quoted(name)} are a list of text; got "
                            f"{described(names)}")  # fmt: skip
    return name, tuple(names)


def _one(asked: str | None, there: list[str], schema: pa.Schema, path: Path, what: str) -> str:
    """Return the column that was asked for, or the only one there is."""
    if asked is not None and schema.names.count(asked) == 1:
        return asked
    if asked is None and len(there) == 1:
        return there[0]
    known = ", ".join(quoted(name, 40) for name in schema.names[:12])
    wanted = (
        f"no column {quoted(asked)}" if asked is not None else f"{len(there)} columns of {what}s"
    )
    raise DataFileError(f"{path}: {wanted}; name one of {known} with {what}=")


def _numbered(
    path: Path, raw: Mapping[str, list[pa.ChunkedArray]], names: tuple[str, ...] | None
) -> tuple[dict[str, NDArray[np.int64]], tuple[str, ...]]:
    """Return labels from 0, and the names of the classes in the order of these."""
    values = {s: [v for part in parts for v in part.to_pylist()] for s, parts in raw.items()}
    every = [value for found in values.values() for value in found]
    if names is None and every and all(isinstance(value, str) for value in every):
        names = tuple(sorted(set(every)))
        places = {name: place for place, name in enumerate(names)}
        values = {split: [places[v] for v in found] for split, found in values.items()}
    wrong = [v for found in values.values() for v in found if type(v) is not int or v < 0]
    if wrong:
        raise DataFileError(
            f"{path}: expected a label from 0 for each image; got {described(wrong[0])} "
            f"({len(wrong)} such of {len(every)}; -1 stands for an unknown one)"
        )
    high = max((v for found in values.values() for v in found), default=-1)
    if names is None:
        names = tuple(map(str, range(min(high, 10**6) + 1)))
    if high >= len(names) or len(names) < 2:
        raise DataFileError(f"{path}: labels up to {high}, of {len(names)} classes")
    return {s: np.array(found, dtype=np.int64) for s, found in values.items()}, names


class _faults:  # noqa: N801
    """Whatever a damaged file makes pyarrow raise is a DataFileError."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (pa.ArrowException, OSError, ValueError, KeyError, MemoryError)):
            if isinstance(error, DataFileError):
                return
            raise DataFileError(
                f"cannot read {self.path} ({shown(str(error), 120)}): a damaged file?"
            ) from error
