"""Do the proxies say the same? τ of every two of them."""

import pandas as pd
from matplotlib.figure import Figure

from evaluation.report.figures.agreement import lower_triangle
from evaluation.report.figures.heat import colour_bar, heat_map
from evaluation.report.figures.style import figure

__all__ = ["proxy_pairs"]


def proxy_pairs(pairs: pd.DataFrame, labels: list[str]) -> Figure:
    """Draw τ of every two score columns, each pair once, in the lower triangle.

    Args:
        pairs: τ of the scores, see :func:`~evaluation.report.pairwise.pairwise_tau`.
        labels: the names of the columns, in order; there are at least two.
    """
    table, text = lower_triangle(pairs, labels, str)
    count = len(labels) - 1
    cells = max(0.8, 0.36 * count)
    margin = 0.3 + 0.065 * max(map(len, labels))
    drawn = figure(margin + cells + 1.9, margin + cells)
    panel, side = drawn.subplots(1, 2, width_ratios=(cells, 1.9))
    side.set_axis_off()
    heat_map(panel, table, text, numbers=7 if count <= 15 else 5.5)
    panel.set_aspect("equal", anchor="NW")
    panel.set_yticks(range(count), list(table.index))
    panel.set_xticks(
        range(count), list(table.columns), rotation=90, ha="right", va="center",
        rotation_mode="anchor",
    )  # fmt: skip
    colour_bar(drawn, side.inset_axes((0.1, 0.6, 0.75, 0.1 / cells)))
    return drawn
