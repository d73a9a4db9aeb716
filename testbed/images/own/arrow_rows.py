"""Rows of Arrow and Parquet files: images read some rows at a time, and whole columns of labels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from testbed.basis.foreign_text import shown
from testbed.images.errors import DataFileError

__all__ = ["Shard", "TableReader", "faults", "opened", "whole_column"]

ROWS = 64  # that are in memory at once
_END = b"\xff\xff\xff\xff\0\0\0\0"  # of an Arrow stream


@dataclass(frozen=True)
class Shard:
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

    shards: tuple[Shard, ...]
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
                with faults(shard.path):
                    yield from self._of_shard(shard, here)
            begin += shard.rows

    def _of_shard(self, shard: Shard, rows: list[int]) -> Iterator[bytes]:
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


def _batches(shard: Shard, column: str, rows: list[int]) -> Iterator[tuple[int, pa.RecordBatch]]:
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


def opened(path: Path) -> tuple[pa.Schema, Shard]:
    """Return the columns of a file, and its rows; a file that is cut short is refused."""
    if path.suffix == ".parquet":
        with pq.ParquetFile(path) as file:
            facts = file.metadata
            groups = tuple(facts.row_group(i).num_rows for i in range(facts.num_row_groups))
            return file.schema_arrow, Shard(path, sum(groups), groups or (0,))
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
        return reader.schema, Shard(path, count)


def whole_column(shard: Shard, name: str) -> pa.ChunkedArray:
    """Return a column of a file, of labels for instance, in memory."""
    if shard.groups:
        return pq.read_table(shard.path, columns=[name]).column(0)
    with pa.memory_map(str(shard.path)) as source:
        reader = pa.ipc.open_stream(source)
        place = reader.schema.get_field_index(name)
        kind = reader.schema.field(place).type
        # A copy: the file is closed behind it.
        chunks = [pa.array(batch.column(place).to_pylist(), kind) for batch in reader]
        return pa.chunked_array(chunks, kind)


class faults:  # noqa: N801
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
