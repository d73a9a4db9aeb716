"""Do the attacks agree? Kendall's τ between clean, attacks × ε (the paper's Figure 3).

Jung, Lukasik and Keuper, ICLR 2023.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from evaluation.report.figures.heat import colour_bar, heat_map
from evaluation.report.figures.style import GRID, MUTED, figure
from evaluation.report.names import grouped, plain
from evaluation.report.pairwise import square
from evaluation.report.words import records
from testbed.command.numbers import PAGE

__all__ = ["agreement", "lower_triangle"]

ROOM = 12  # targets


def agreement(pairs: pd.DataFrame, targets: list[str]) -> Figure:
    """Draw τ of every two targets, each pair once, in the lower triangle.

    Args:
        pairs: as :func:`~evaluation.report.pairwise.pairwise_tau` returns it.
        targets: the names of the targets, in order; those of one attack stand together.
    """
    table, text = lower_triangle(pairs, targets)
    place = {name: number for number, name in enumerate(targets)}
    count = len(targets) - 1
    size = max(3.2, min(7.0, 1.6 + 0.19 * count))
    drawn = figure(size, size * 0.98)
    panel = drawn.add_subplot()
    heat_map(panel, table, text, numbers=None if count > 20 else 6.5)
    panel.set_aspect("equal")
    panel.set_yticks(range(count), [plain(name) for name in table.index], fontsize=6.5)
    panel.set_xticks(
        range(count), [plain(name) for name in table.columns], fontsize=6.5, rotation=90,
        ha="right", va="center", rotation_mode="anchor",
    )  # fmt: skip
    for attack, members in grouped(targets).items():
        first, last = place[members[0]], place[members[-1]]
        middle = (first + last) / 2
        if count > ROOM:  # above the staircase, for the attack's name
            panel.text(middle + 0.8, middle - 1.8, str(attack), color=MUTED, fontsize=8)
        panel.plot([-0.5, first - 0.5], [first - 1.5] * 2, color=GRID, linewidth=0.8)
        if first < count:
            panel.plot([first - 0.5] * 2, [first - 0.5, count - 0.5], color=GRID, linewidth=0.8)
    colour_bar(drawn, panel.inset_axes((0.55, 0.97, 0.43, 0.025)))
    return drawn


def lower_triangle(
    pairs: pd.DataFrame, names: list[str], name: Callable[[str], str] = plain
) -> tuple[pd.DataFrame, Callable[[str, str], str]]:
    """Return the table of τ of every two, and a function from row and column to its hover text.

    Args:
        pairs: as :func:`~evaluation.report.pairwise.pairwise_tau` returns it.
        names: the members, in order; the first has no row and the last no column.
        name: returns a member as it is written.
    """
    tips = {frozenset((pair["x"], pair["y"])): _tip(pair, name) for pair in records(pairs)}
    place = {member: number for number, member in enumerate(names)}

    def text(row: str, column: str) -> str:
        return tips[frozenset((row, column))] if place[row] > place[column] else ""

    return square(pairs, names).iloc[1:, :-1], text


def _tip(pair: Mapping[str, Any], name: Callable[[str], str]) -> str:
    tau, low, high = (PAGE.signed(pair[column]) for column in ("tau", "low", "high"))
    return (
        f"{name(pair['x'])} – {name(pair['y'])}: τ = {tau}, 95 % interval {low} to {high}, "
        f"n = {pair['n']:,}"
    )
