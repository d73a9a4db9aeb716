"""Searches that `evaluation.search` wrote into a folder, as figures of the report."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pandas as pd

from evaluation.report.gallery import Picture
from evaluation.search.curves import curves
from testbed.basis.errors import ToolkitError

__all__ = ["SearchesError", "read_searches", "search_pictures"]

GROUP = "What does a search find?"
FILES = ("trajectories.parquet", "trajectories.csv")
COLUMNS = ("objective", "algorithm", "run", "query", "best", "seconds")


class SearchesError(ToolkitError):
    """A folder without the trajectories of searches."""


def read_searches(folder: str | Path) -> pd.DataFrame:
    """Return the trajectories of a folder that ``evaluation.search --out`` wrote.

    Raises:
        SearchesError: if there are none, or they have another layout.
    """
    there = [path for name in FILES if (path := Path(folder) / name).is_file()]
    if not there:
        raise SearchesError(
            f"{folder} has no {' nor '.join(FILES)}; give the --out of robustness-proxies search"
        )
    try:
        read = pd.read_parquet if there[0].suffix == ".parquet" else pd.read_csv
        queries = read(there[0])
    except (OSError, ValueError) as error:
        raise SearchesError(f"cannot read {there[0]}: {error}") from error
    if missing := [name for name in COLUMNS if name not in queries]:
        raise SearchesError(f"{there[0]} lacks the columns {', '.join(missing)}")
    return queries


def search_pictures(queries: pd.DataFrame) -> Iterator[Picture]:
    """Yield the figures of the best score so far against queries, and against seconds.

    Args:
        queries: the trajectories, as :func:`read_searches` returns them.
    """
    objective, runs = str(queries["objective"].iloc[0]), queries["run"].nunique()
    for against, words in (("query", "queries"), ("seconds", "seconds")):
        caption = (
            f"The best {objective} found so far against {words}, mean of {runs} runs of each "
            "algorithm; shaded: the 95 % interval of the mean."
        )
        draw = partial(curves, label=f"best {objective} so far")
        yield Picture(f"search-{words}", GROUP, caption, draw, (queries, against))
