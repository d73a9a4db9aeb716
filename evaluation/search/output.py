"""What the command writes into its folder."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from evaluation.search.candidates import Candidates, default_candidates
from evaluation.search.curves import curves, front_figure, save
from testbed.files.formulas import defused
from testbed.files.replacing import replacing

__all__ = ["readable", "write_figures", "write_front", "write_table"]


def readable(
    queries: pd.DataFrame, objective: str, candidates: Candidates | None = None
) -> pd.DataFrame:
    """Return trajectories with names for candidates, and published ids where there are some.

    Args:
        queries: as from `evaluation.search.job.trajectories`.
        objective: what was maximised, in words.
        candidates: all there are; None for those of NAS-Bench-201.
    """
    candidates = candidates or default_candidates()
    asked, best = queries["candidate"].tolist(), queries["incumbent"].tolist()
    beside = candidates.ids(best) or {"network": candidates.named(best)["network"].to_numpy()}
    added = {
        "objective": objective,
        **{str(name): values.to_numpy() for name, values in candidates.named(asked).items()},
        **{f"best_{name}": values for name, values in beside.items()},
    }
    return queries.assign(**added).drop(columns=["candidate", "incumbent"])


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
    candidates: Candidates | None = None,
) -> list[Path]:
    """Write the front as a table, and for two scores as a figure, see `curves.front_figure`."""
    named = (candidates or default_candidates()).named(front.index.tolist())
    added = {str(name): values.to_numpy() for name, values in named.items()}
    written = [write_table(front.assign(**added), folder / "front")]
    if front.shape[1] == 2:
        written += save(front_figure(asked, front, known), folder / "front", formats)
    return written
