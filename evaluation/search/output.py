"""What the command writes into its folder."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from evaluation.search.cells import cells, published_ids
from evaluation.search.curves import curves, front_figure, save
from testbed.files.formulas import defused
from testbed.files.replacing import replacing

__all__ = ["readable", "write_figures", "write_front", "write_table"]


def readable(queries: pd.DataFrame, objective: str) -> pd.DataFrame:
    """Return trajectories with published ids and architecture strings for candidates.

    Args:
        queries: as from `evaluation.search.job.trajectories`.
        objective: what was maximised, in words.
    """
    networks = [cells().name(candidate) for candidate in queries["candidate"]]
    ids = published_ids()
    return queries.assign(
        objective=objective,
        id=ids[queries["candidate"]],
        network=networks,
        best_id=ids[queries["incumbent"]],
    ).drop(columns=["candidate", "incumbent"])


def write_table(table: pd.DataFrame, path: Path, kind: str = "csv") -> Path:
    """Write a table as a whole, in one of `names.TABLES`, and return where."""
    target = path.with_suffix(f".{kind}")
    with replacing(target) as temporary:
        if kind == "csv":
            defused(table).to_csv(temporary, index=False)
        else:
            table.to_parquet(temporary, index=False)
    return target


def write_figures(
    queries: pd.DataFrame,
    folder: Path,
    formats: Sequence[str],
    label: str,
    optimum: float | None,
) -> list[Path]:
    """Write the curves against queries and against seconds."""
    written = []
    for against, name in (("query", "curves"), ("seconds", "curves-seconds")):
        figure = curves(queries, against, label=label, optimum=optimum)
        written += save(figure, folder / name, formats)
    return written


def write_front(
    asked: pd.DataFrame,
    front: pd.DataFrame,
    known: pd.DataFrame | None,
    folder: Path,
    formats: Sequence[str],
) -> list[Path]:
    """Write the front as a table, and for two scores as a figure, see `curves.front_figure`."""
    ids = published_ids()[front.index.to_numpy()]
    names = [cells().name(candidate) for candidate in front.index]
    written = [write_table(front.assign(id=ids, network=names), folder / "front")]
    if front.shape[1] == 2:
        written += save(front_figure(asked, front, known), folder / "front", formats)
    return written
