"""One proxy against one target, network by network."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FixedLocator, NullLocator

from evaluation.report.figures.style import GRID, POINTS, figure, hover
from evaluation.report.names import plain
from evaluation.report.words import bounds, known
from testbed.command.numbers import PAGE, general
from testbed.command.plots import spell_powers

__all__ = ["linear_below", "scatter", "subtitle"]

TICKS = 5  # on a logarithmic axis, on each side of 0
MANY = 1500  # points; above, they are drawn as an image, and have no hover texts
DECADES = 1.5  # that magnitudes must span for a logarithmic axis
MOST_DECADES = 100  # on one axis; what is smaller is shown as 0
EXTREME = 1e150  # beyond, limits and ticks of an axis overflow
SMALLEST = 1e-300


def scatter(scores: pd.Series, accuracies: pd.Series, row: Mapping[str, Any]) -> Figure:
    """Draw the networks' accuracies over their scores, with τ, its interval and the ceiling.

    Args:
        scores: the scores by network.
        accuracies: the accuracies of the same networks in the same order.
        row: the row of a ranking's table, with a column ``label``, that is written above.

    Raises:
        ValueError: if the networks of the two differ.
    """
    if not scores.index.equals(accuracies.index):
        raise ValueError("expected scores and accuracies of the same networks in the same order")
    drawn = figure(3.5, 3.0)
    panel = drawn.add_subplot()
    many, unit = len(scores) > MANY, _unit(scores)
    size, alpha = (3.0, 0.3) if many else (12.0, 0.6)
    points = panel.scatter(
        scores / unit,
        accuracies,
        size,
        POINTS,
        alpha=alpha,
        linewidths=0,
        rasterized=many,
        zorder=2,
    )
    if not many:
        numbers = zip(scores.index, scores, accuracies, strict=True)
        texts = (f"network {k}: score {general(x, 4)}, accuracy {y:.3f}" for k, x, y in numbers)
        hover(points, *texts)
    if (threshold := linear_below(scores / unit)) is not None:
        panel.set_xscale("symlog", linthresh=threshold, linscale=0.4)
        spell_powers(panel.xaxis)
        panel.xaxis.set_major_locator(FixedLocator(_powers(scores / unit, threshold)))
        panel.xaxis.set_minor_locator(NullLocator())
    elif unit == 1 and scores.abs().max() >= 1e4:
        panel.xaxis.set_major_formatter(EngFormatter(sep=""))
    panel.set_xlabel(f"{row['label']}{'' if unit == 1 else f', in units of {unit:g}'}")
    panel.set_ylabel(f"accuracy: {plain(str(row['target']))}")
    panel.grid(color=GRID, linewidth=0.5, zorder=0)
    panel.set_title(f"{row['label']} – {plain(str(row['target']))}", pad=17)
    panel.text(0, 1.025, subtitle(row), transform=panel.transAxes, fontsize=7, va="bottom")
    return drawn


def _unit(scores: pd.Series) -> float:
    """Return the power of ten that brings scores into the range that an axis can have."""
    largest = float(scores.abs().max())
    if largest == 0 or 1 / EXTREME <= largest <= EXTREME:
        return 1.0
    return max(10.0 ** math.floor(math.log10(largest)), SMALLEST)


def subtitle(row: Mapping[str, Any]) -> str:
    """Return τ, its 95 % interval, the ceiling where the table has it, and n."""
    parts = [f"τ = {PAGE.signed(known(row, 'tau'))}"]
    if (limits := bounds(row)) is not None:
        parts[0] += f" [{PAGE.signed(limits[0])}, {PAGE.signed(limits[1])}]"
    if (ceiling := known(row, "ceiling")) is not None:
        parts.append(f"ceiling {PAGE.signed(ceiling)}")
    return "; ".join([*parts, f"n = {int(row['n']):,}"])


def linear_below(scores: pd.Series) -> float | None:
    """Return the magnitude above which scores are read better on a logarithmic axis.

    It is the power of ten below all but the smallest hundredth of the magnitudes. It is None
    where the rest spans too little for logarithms.
    """
    sizes = np.abs(scores.to_numpy(dtype=float))
    sizes = sizes[sizes > 0]
    if not len(sizes):
        return None
    high = math.log10(sizes.max())
    low = math.log10(np.quantile(sizes, 0.01, method="lower"))
    return None if high - low < DECADES else 10.0 ** math.floor(max(low, high - MOST_DECADES))


def _powers(scores: pd.Series, threshold: float) -> list[float]:
    """Return powers of ten in the span of the scores, evenly thinned, and 0 if it is there."""
    low, high = float(scores.min()), float(scores.max())
    first, last = round(math.log10(threshold)), math.floor(math.log10(max(-low, high)))
    # Where 0 is shown, the threshold itself would stand too near to it.
    first += low <= 0
    every = -(-(last - first + 1) // TICKS)
    sizes = [10.0**power for power in range(first, last + 1, every)]
    ticks = [*(-size for size in sizes), 0.0, *sizes]
    return [tick for tick in ticks if low <= tick <= high]
