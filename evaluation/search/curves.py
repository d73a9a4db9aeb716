"""The best so far against queries or seconds, and fronts of two objectives, as figures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from testbed.command.plots import names_are_text, spell_powers
from testbed.files.replacing import replacing

__all__ = ["curves", "front_figure", "save", "steps"]

INTERVAL = 1.96  # standard errors: 95 % of a normal distribution
GRID = 200
COLOURS, LINES = 10, ("-", "--", ":")


@names_are_text()
def curves(
    queries: pd.DataFrame,
    against: str = "query",
    *,
    label: str = "best so far",
    optimum: float | None = None,
) -> Figure:
    """Return the mean over runs of the best value so far, with 95 % intervals of the mean.

    Args:
        queries: one row a query: algorithm, run, query, best, seconds.
        against: ``query`` or ``seconds``, on a logarithmic axis, see `steps`.
        label: of the values.
        optimum: a line to compare with.
    """
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for place, (algorithm, part) in enumerate(queries.groupby("algorithm", sort=False)):
        x, best = steps(part, against)
        mean = best.mean(axis=0)
        (line,) = axes.plot(
            x, mean, LINES[place // COLOURS % len(LINES)], color=f"C{place % COLOURS}",
            drawstyle="steps-post", label=str(algorithm),
        )  # fmt: skip
        if len(best) > 1:
            half = INTERVAL * best.std(axis=0, ddof=1) / np.sqrt(len(best))
            axes.fill_between(
                x, mean - half, mean + half, step="post", alpha=0.2, color=line.get_color()
            )
    if optimum is not None:
        axes.axhline(optimum, color="0.5", linestyle=":", label="optimum")
    axes.set_xlabel({"query": "queries", "seconds": "seconds"}[against])
    axes.set_ylabel(label)
    axes.set_xscale("log")
    spell_powers(axes.xaxis)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", fontsize="small")
    return figure


def steps(part: pd.DataFrame, against: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return places on the axis (m,), and the best value so far of each run there (runs, m).

    Queries are counted to the end of the shortest run. Seconds go from where every run has an
    answer to the end of the longest; a run that has ended keeps what it found.
    """
    runs = [run.sort_values("query") for _, run in part.groupby("run")]
    if against == "query":
        shortest = min(len(run) for run in runs)
        best = np.stack([run["best"].to_numpy()[:shortest] for run in runs])
        return np.arange(1, shortest + 1, dtype=np.float64), best
    start = max(run["seconds"].iloc[0] for run in runs)
    end = max(start, max(run["seconds"].iloc[-1] for run in runs))
    places = np.geomspace(max(start, 1e-9), max(end, 1e-9), GRID)
    places[0], places[-1] = start, end  # not a rounding error before the first answer
    rows = []
    for run in runs:
        there = np.searchsorted(run["seconds"].to_numpy(), places, side="right") - 1
        rows.append(run["best"].to_numpy()[there])
    return places, np.stack(rows)


@names_are_text()
def front_figure(
    asked: pd.DataFrame, front: pd.DataFrame, known: pd.DataFrame | None = None
) -> Figure:
    """Return a scatter of two scores with the front of what was asked for.

    Args:
        asked: (n, 2), by candidate; the columns name the axes.
        front: (m, 2), of these.
        known: (k, 2), the true front, where it is known.
    """
    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.add_subplot()
    first, second = asked.columns
    axes.scatter(asked[first], asked[second], s=4, color="0.7", label="asked for")
    for points, style, label in ((known, "k:", "true front"), (front, "C1.-", "front")):
        if points is not None:
            ordered = points.sort_values([first, second])
            axes.plot(ordered[first], ordered[second], style, label=label)
    axes.set_xlabel(str(first))
    axes.set_ylabel(str(second))
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    return figure


def save(figure: Figure, path: Path, formats: Sequence[str] = ("png",)) -> list[Path]:
    """Write a figure once for each format, beside each other; return the paths."""
    paths = []
    for suffix in formats:
        target = path.with_suffix(f".{suffix}")
        with replacing(target) as temporary:
            figure.savefig(temporary, format=suffix, dpi=150)
        paths.append(target)
    return paths
