"""The provenance of scores: the runs that a results file or an export of one holds."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from testbed.basis.foreign_text import shown
from testbed.files.strict_json import parse_json, read_text
from testbed.store import Store, StoreError, read_robustness
from testbed.store.files import runs_beside
from testbed.store.schema import SUFFIXES

__all__ = ["measured", "read_runs"]


def read_runs(path: str | Path) -> list[dict[str, Any]]:
    """Return the runs of a file of scores as JSON values, ``provenance`` as an object.

    A CSV or Parquet file that was not written by `testbed.store` has none.

    Raises:
        StoreError: if the file cannot be read.
    """
    path = Path(path)
    if path.suffix in SUFFIXES:
        with Store(path, "r") as store:
            records = json.loads(store.runs().to_json(orient="records") or "[]")
        for record in records:
            record["provenance"] = parse_json(record["provenance"], "provenance", StoreError)
        return records
    try:
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            text = (pq.read_schema(path).metadata or {}).get(b"runs", b"[]").decode()
        else:
            beside = runs_beside(path)
            text = read_text(beside, StoreError) if beside.exists() else "[]"
        runs = parse_json(text, "runs", StoreError)
    except Exception as error:  # the bytes decide what a broken Parquet file raises
        said = shown(str(error))
        raise StoreError(f"the runs of {path} cannot be read: {said}") from error
    return [run for run in runs if isinstance(run, dict)] if isinstance(runs, list) else []


def measured(path: str | Path, dataset: str) -> pd.DataFrame:
    """Return the robust accuracies on a data set that a results file holds beside its scores.

    Raises:
        StoreError: if the file cannot be read.
    """
    if Path(path).suffix not in SUFFIXES:
        return pd.DataFrame()
    table = read_robustness(path)
    return table.loc[table["images"].eq(dataset).fillna(False)]
