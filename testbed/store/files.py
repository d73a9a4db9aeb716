"""Tables in CSV and Parquet files, written whole or not at all."""

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from testbed.basis.foreign_text import quoted, shown
from testbed.basis.ranges import first_twice
from testbed.files.formulas import defused, restored
from testbed.files.replacing import replacing
from testbed.store.errors import StoreError
from testbed.store.table import Table

__all__ = ["READERS", "WRITERS", "csv_columns", "parquet_columns", "runs_beside"]

FEW_ROWS = 10_000


def runs_beside(path: Path) -> Path:
    """Return the path of the runs that belong to the CSV file ``path``."""
    return path.with_suffix(".runs.json")


def _write_csv(path: Path, blocks: Iterable[pd.DataFrame], runs: list[dict[str, Any]]) -> None:
    with replacing(runs_beside(path)) as beside, replacing(path) as temporary:
        beside.write_text(json.dumps(runs, indent=2) + "\n", encoding="utf-8")
        with temporary.open("w", encoding="utf-8", newline="") as file:
            for number, rows in enumerate(blocks):
                # All text in quotes: before Python 3.12 the writer leaves a lone carriage return
                # bare.
                defused(rows).to_csv(
                    file, index=False, header=number == 0, lineterminator="\n",
                    quoting=csv.QUOTE_NONNUMERIC,
                )  # fmt: skip


def _write_parquet(path: Path, blocks: Iterable[pd.DataFrame], runs: list[dict[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with replacing(path) as temporary:
        writer = None
        try:
            for rows in blocks:
                table = pa.Table.from_pandas(rows, preserve_index=False)
                metadata = {**(table.schema.metadata or {}), b"runs": json.dumps(runs).encode()}
                table = table.replace_schema_metadata(metadata)
                writer = writer or pq.ParquetWriter(temporary, table.schema, compression="zstd")
                writer.write_table(table)
        finally:
            if writer is not None:
                writer.close()


def csv_columns(path: Path) -> dict[str, list[str]]:
    """Return the cells of a CSV file with a header, by column, each as text.

    Raises:
        StoreError: if it is not in UTF-8, has no header, a column twice, or a row of another
            length.
    """
    # Not pandas' reader: it fills up rows that were cut off.
    limit = csv.field_size_limit(2**31 - 1)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header, *rows = list(csv.reader(file, strict=True)) or [[]]
    except ValueError as error:  # not UTF-8
        raise StoreError(f"not a CSV file with a header: {error}") from error
    finally:
        csv.field_size_limit(limit)
    if not header:
        raise StoreError("not a CSV file with a header: its first line is empty")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise StoreError(f"row {number} has {len(row)} cells; the header has {len(header)}")
    _check_header(header)
    return {name: [restored(row[i]) for row in rows] for i, name in enumerate(header)}


def parquet_columns(path: Path, wanted: Callable[[str], bool]) -> dict[str, Sequence[Any]]:
    """Return the cells of a Parquet file by column; those of columns not wanted are not read.

    Raises:
        StoreError: if it is no Parquet file that is whole, or has a column twice.
    """
    import pyarrow.parquet as pq

    size = path.stat().st_size
    try:
        facts = pq.read_metadata(path)
        names = list(facts.schema.to_arrow_schema().names)
    # The bytes decide what a broken file raises, here and below.
    except Exception as error:
        raise StoreError(f"not a Parquet file: {shown(str(error))}") from error
    _check_header(names)
    # Files of a few bytes can spell a row that is repeated for ever.
    if facts.num_rows > max(size, FEW_ROWS):
        raise StoreError(f"{facts.num_rows:,} rows in {size:,} bytes: no table of results is so")
    known = [name for name in names if wanted(name)]
    try:
        columns = pq.read_table(path, columns=known, use_threads=False).to_pydict()
    except Exception as error:
        raise StoreError(f"not a Parquet file that is whole: {shown(str(error))}") from error
    return {**dict.fromkeys(names, ()), **columns}


def _read_csv(path: Path, table: Table) -> pd.DataFrame:
    columns: dict[str, Any] = dict(csv_columns(path))
    # Text that may be missing is never empty, see `testbed.store.columns.Column.plain`.
    for one in table.columns:
        if one.kind == "string" and one.optional and one.name in columns:
            columns[one.name] = [cell or None for cell in columns[one.name]]
    return table.frame(columns, foreign=True)


def _read_parquet(path: Path, table: Table) -> pd.DataFrame:
    return table.frame(parquet_columns(path, lambda name: name in table.types), foreign=True)


def _check_header(names: Sequence[str]) -> None:
    if (twice := first_twice(names)) is not None:
        raise StoreError(f"expected each column once, found {quoted(twice)} twice")


# Of blocks of rows, at least one, which may be empty.
WRITERS: dict[str, Callable[[Path, Iterable[pd.DataFrame], list[dict[str, Any]]], None]] = {
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}
READERS: dict[str, Callable[[Path, Table], pd.DataFrame]] = {
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}
