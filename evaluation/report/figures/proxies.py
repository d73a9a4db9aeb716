"""Which proxy ranks which attack: τ with each attack × ε (the paper's Figure 4).

Jung, Lukasik and Keuper, ICLR 2023.
"""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.report.figures.heat import colour_bar, heat_map
from evaluation.report.figures.style import MUTED, figure
from evaluation.report.names import attacks_of, corruptions_of, grouped, plain
from evaluation.report.words import records, tau_in_words
from evaluation.truths.targets import Target

__all__ = ["ACROSS", "proxy_heat"]

ACROSS = 15  # cells in a row of panels, gaps included
GAP = 0.7
Groups = dict[Target | None, list[str]]  # by attack; None for clean and the means
CELL, LINE, LOW, BAR = 0.36, 0.24, 0.155, 0.3  # inches
ROOM = 24  # proxies in rows of full height


def proxy_heat(
    table: pd.DataFrame,
    families: Mapping[str, Sequence[str]] | None = None,
    across: int = ACROSS,
) -> Figure:
    """Draw τ of every proxy with clean, the means, and each attack × ε.

    Many proxies stand in lower rows, so that a page holds them.

    Args:
        table: the table of a :class:`~evaluation.ranking.table.Ranking`, with a column ``label``.
        families: the labels of each family, in the order of the table, which are set apart.
        across: the cells in a row of panels, gaps included.
    """
    wide = table.pivot(index="label", columns="target", values="tau")
    wide = wide.loc[list(dict.fromkeys(table["label"]))]
    words = {(row["label"], row["target"]): tau_in_words(row) for row in records(table)}
    names = list(dict.fromkeys(table["target"]))
    attacks = attacks_of(names)
    several = {*attacks, *corruptions_of(names)}
    single = [name for name in names if name not in several]
    groups: Groups = {None: single, **grouped(attacks)}
    rows = _packed({name: members for name, members in groups.items() if members}, across)
    if _width(rows[-1]) + 5 > across:
        rows.append({})  # for the colour bar alone
    many = len(wide) > ROOM
    high = (LOW if many else LINE) * len(wide)
    heights = [high if row else BAR for row in rows]
    # Room for the longest label, 0.065 inches a letter, then 15 cells.
    left = 0.2 + 0.065 * max(map(len, wide.index))
    drawn = figure(left + CELL * across, sum(heights) + 0.55 * len(rows))
    panels = drawn.subplots(len(rows), 1, squeeze=False, height_ratios=heights)[:, 0]
    for panel, row in zip(panels, rows, strict=True):
        _row(panel, wide, row, words, across, 5.5 if many else 6.5)
        if row:
            _part(panel, families or {}, across)
    thick = 0.1 / heights[-1]
    colour_bar(drawn, panels[-1].inset_axes((1 - 4.2 / across, 0.4, 4 / across, thick)))
    return drawn


def _row(
    panel: Axes, wide: pd.DataFrame, groups: Groups, words: dict, across: int, size: float
) -> None:
    left, places, ticks = 0.0, [], []
    for name, members in groups.items():
        heat_map(panel, wide.filter(members), lambda r, c: words[r, c], size, left)
        places += [left + k for k in range(len(members))]
        ticks += [_tick(target) for target in members]
        if name:
            unit = ", ε in 1/255" if len(members) > 3 else ""
            panel.text(left - 0.5, -0.62, str(name) + unit, fontsize=8, va="bottom")
        left += len(members) + GAP
    if not groups:
        panel.set_axis_off()
        return
    panel.set_xlim(-0.5, across - 0.5)
    panel.set_xticks(places, ticks)
    panel.set_yticks(range(len(wide)), list(wide.index), fontsize=size + 1)


def _part(panel: Axes, families: Mapping[str, Sequence[str]], across: int) -> None:
    """Draw a line above each family, and its name at the right end of it."""
    place = 0
    for name, members in families.items():
        if place:
            panel.plot([-0.5, across - 0.5], [place - 0.5] * 2, color=MUTED, linewidth=0.5)
        panel.text(
            across - 0.5, place, name, fontsize=6, color=MUTED, ha="right", va="center_baseline"
        )
        place += len(members)


def _tick(name: str) -> str:
    """Return the level of a target, or its name, broken so that it fits under one cell."""
    level = Target.parse(name).level
    return f"{level:g}" if level is not None else _folded(name)


def _folded(target: str) -> str:
    """Break a name so that it fits under one cell."""
    return plain(target).replace(" ", "\n").replace("adversarial", "adv.").replace("ruption", ".")


def _packed(groups: Groups, across: int) -> list[Groups]:
    """Return the groups in rows of at most so many cells; a wider group has a row for itself."""
    rows: list[Groups] = []
    for name, members in groups.items():
        for start in range(0, len(members), across):
            piece = members[start : start + across]
            if not rows or _width(rows[-1]) + GAP + len(piece) > across or name in rows[-1]:
                rows.append({})
            rows[-1][name] = piece
    return rows


def _width(row: Groups) -> float:
    return sum(map(len, row.values())) + GAP * (len(row) - 1)
