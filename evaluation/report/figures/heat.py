"""A heat map of τ: cells with hover texts, numbers where they fit, one colour scale for all."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from evaluation.report.figures.style import DIVERGING, GRID, MUTED, hover, ink_on
from testbed.command.numbers import PAGE

__all__ = ["LIMIT", "colour_bar", "heat_map"]

LIMIT = 1.0  # τ of the strongest colours: the same in every figure, so that they compare


def heat_map(
    panel: Axes,
    table: pd.DataFrame,
    texts: Callable[[str, str], str],
    numbers: float | None = 6.5,
    left: float = 0.0,
) -> None:
    """Draw a table of τ, its first row on top; an undefined τ is a hollow cell.

    Args:
        panel: the axes, whose units become the table's cells.
        table: τ in [−1, 1].
        texts: returns the hover text of a cell from the names of its row and column; a cell
            with an empty text is not drawn.
        numbers: the size of the numbers in points; None draws none.
        left: the place of the middle of the first column.
    """
    for i, row in enumerate(table.index):
        for j, column in enumerate(table.columns):
            text = texts(str(row), str(column))
            tau = float(table.iat[i, j])  # type: ignore[arg-type]
            if not text:
                continue
            known = not np.isnan(tau)
            cell = Rectangle(
                (left + j - 0.5, i - 0.5), 1, 1, linewidth=0.4 if known else 0.6,
                facecolor=DIVERGING((tau / LIMIT + 1) / 2) if known else "none",
                edgecolor=DIVERGING((tau / LIMIT + 1) / 2) if known else GRID,
            )  # fmt: skip
            panel.add_patch(cell)
            hover(cell, text)
            if numbers is not None:
                ink = ink_on(tau, LIMIT) if known else MUTED
                panel.text(
                    left + j, i, PAGE.unsigned(tau, digits=2), color=ink, fontsize=numbers,
                    ha="center", va="center_baseline",
                )  # fmt: skip
    panel.set_xlim(-0.5, left + table.shape[1] - 0.5)
    panel.set_ylim(table.shape[0] - 0.5, -0.5)
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)


def colour_bar(drawn: Figure, panel: Axes) -> None:
    """Draw the scale that all heat maps share, horizontally, into a panel of its own."""
    mappable = ScalarMappable(Normalize(-LIMIT, LIMIT), DIVERGING)
    bar = drawn.colorbar(mappable, cax=panel, orientation="horizontal", ticks=[-1, -0.5, 0, 0.5, 1])
    bar.outline.set_visible(False)  # type: ignore[operator]
    bar.ax.tick_params(length=2, labelsize=6.5)
    bar.ax.set_title("Kendall’s τ-b", fontsize=7.5)
