"""Which proxy ranks which attack: τ with each attack × ε (the paper's Figure 4).

Jung, Lukasik and Keuper, ICLR 2023.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.report.figures.heat import colour_bar, heat_map
from evaluation.report.figures.style import figure
from evaluation.report.names import attacks_of, corruptions_of, grouped, plain
from evaluation.report.words import records, tau_in_words
from evaluation.truths.targets import Target

__all__ = ["proxy_heat"]

ACROSS = 15  # cells in a row of panels, gaps included
GAP = 0.7
Groups = dict[Target | None, list[str]]  # by attack; None for clean and the means
CELL, LINE, BAR = 0.36, 0.24, 0.3  # inches


def proxy_heat(table: pd.DataFrame) -> Figure:
    """Draw τ of every proxy with clean, the means, and each attack × ε.

    Args:
        table: the table of a :class:`~evaluation.ranking.table.Ranking`, with a column ``label``.
    """
    wide = table.pivot(index="label", columns="target", values="tau")
    wide = wide.loc[list(dict.fromkeys(table["label"]))]
    words = {(row["label"], row["target"]): tau_in_words(row) for row in records(table)}
    names = list(dict.fromkeys(table["target"]))
    attacks = attacks_of(names)
    several = {*attacks, *corruptions_of(names)}
    single = [name for name in names if name not in several]
    groups: Groups = {None: single, **grouped(attacks)}
    rows = _packed({name: members for name, members in groups.items() if members})
    if _width(rows[-1]) + 5 > ACROSS:
        rows.append({})  # for the colour bar alone
    high = LINE * len(wide)
    heights = [high if row else BAR for row in rows]
    # Room for the longest label, 0.065 inches a letter, then 15 cells.
    left = 0.2 + 0.065 * max(map(len, wide.index))
    drawn = figure(left + CELL * ACROSS, sum(heights) + 0.55 * len(rows))
    panels = drawn.subplots(len(rows), 1, squeeze=False, height_ratios=heights)[:, 0]
    for panel, row in zip(panels, rows, strict=True):
        _row(panel, wide, row, words)
    thick = 0.1 / heights[-1]
    colour_bar(drawn, panels[-1].inset_axes((1 - 4.2 / ACROSS, 0.4, 4 / ACROSS, thick)))
    return drawn


def _row(panel: Axes, wide: pd.DataFrame, groups: Groups, words: dict) -> None:
    left, places, ticks = 0.0, [], []
    for name, members in groups.items():
        heat_map(panel, wide.filter(members), lambda row, column: words[row, column], left=left)
        places += [left + k for k in range(len(members))]
        ticks += [_tick(target) for target in members]
        if name:
            unit = ", ε in 1/255" if len(members) > 3 else ""
            panel.text(left - 0.5, -0.62, str(name) + unit, fontsize=8, va="bottom")
        left += len(members) + GAP
    if not groups:
        panel.set_axis_off()
        return
    panel.set_xlim(-0.5, ACROSS - 0.5)
    panel.set_xticks(places, ticks)
    panel.set_yticks(range(len(wide)), list(wide.index))


def _tick(name: str) -> str:
    """Return the level of a target, or its name, broken so that it fits under one cell."""
    level = Target.parse(name).level
    return f"{level:g}" if level is not None else _folded(name)


def _folded(target: str) -> str:
    """Break a name so that it fits under one cell."""
    return plain(target).replace(" ", "\n").replace("adversarial", "adv.").replace("ruption", ".")


def _packed(groups: Groups) -> list[Groups]:
    """Return the groups in rows of at most ACROSS cells; a wider group has a row for itself."""
    rows: list[Groups] = []
    for name, members in groups.items():
        for start in range(0, len(members), ACROSS):
            piece = members[start : start + ACROSS]
            if not rows or _width(rows[-1]) + GAP + len(piece) > ACROSS or name in rows[-1]:
                rows.append({})
            rows[-1][name] = piece
    return rows


def _width(row: Groups) -> float:
    return sum(map(len, row.values())) + GAP * (len(row) - 1)
