"""Scores and robust accuracies as pandas tables in one line, from whichever file holds them."""

import csv
from pathlib import Path
from typing import Literal

import pandas as pd

from testbed.store.database import Store
from testbed.store.errors import StoreError
from testbed.store.files import READERS
from testbed.store.gate import checked
from testbed.store.schema import SUFFIXES, TABLES
from testbed.store.table import Table

__all__ = ["read_robustness", "read_scores"]


def read_scores(path: str | Path) -> pd.DataFrame:
    """Return the scores of a results file or of an export of one, with the same types.

    Args:
        path: ending in ``.sqlite``, ``.sqlite3``, ``.db``, ``.parquet`` or ``.csv``.

    Returns:
        The columns of `Store.scores`; other columns of a file are left out. A table that others
        wrote needs network, proxy and value; init, seed, images, settings and the rest are filled
        with what is meant by their absence.

    Raises:
        StoreError: if the file does not exist, cannot be read, is of another kind, or lacks a
            column.
    """
    return _read(path, "scores", "scores")


def read_robustness(path: str | Path) -> pd.DataFrame:
    """Return the robust accuracies of a results file or of an export of one.

    Args:
        path: as for `read_scores`.

    Returns:
        The columns of `Store.robustness`.

    Raises:
        StoreError: as `read_scores`.
    """
    return _read(path, "robustness", "robust accuracies")


def _read(path: str | Path, table: Literal["scores", "robustness"], what: str) -> pd.DataFrame:
    path = Path(path)
    if path.suffix not in (*SUFFIXES, *READERS):
        expected = ", ".join((*SUFFIXES, *READERS))
        raise StoreError(f"{what} are read from files ending in {expected}; got {path}")
    if not path.exists():
        raise StoreError(f"there is no file {path}")
    if path.suffix in SUFFIXES:
        with Store(path, "r") as store:
            return store.scores() if table == "scores" else store.robustness()
    try:
        return checked(_foreign(path, TABLES[table]), TABLES[table])
    except (StoreError, OSError, csv.Error) as error:
        raise StoreError(f"{path} cannot be read: {error}") from error


def _foreign(path: Path, table: Table) -> pd.DataFrame:
    if not path.is_file():  # a pipe would be waited for
        raise StoreError("expected a file, found something else")
    return READERS[path.suffix](path, table)
