"""Which proxy is worth its price: |τ| against the seconds that a network costs."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from evaluation.ranking.score_columns import BASELINES
from evaluation.report.figures.style import CYCLE, GRID, MUTED, figure, hover
from evaluation.report.names import plain
from evaluation.report.words import bounds, known, records, tau_in_words
from testbed.command.numbers import general
from testbed.command.plots import spell_powers

__all__ = ["cost"]

MARKERS = "osD^vP"


def cost(
    table: pd.DataFrame,
    seconds: dict[str, float],
    targets: list[str],
    families: Mapping[str, Sequence[str]] | None = None,
) -> Figure:
    """Draw |τ| over the seconds of a network, one panel for each target.

    A hollow point is a negative τ. The dashed line is the best baseline: a proxy under it
    costs more than counting parameters and ranks no better.

    Args:
        table: the table of a ranking, with a column ``label``.
        seconds: the seconds of one network, by label; columns without them are not drawn.
        targets: the targets of the panels.
        families: the labels of each family, which then share a colour and a mark.
    """
    labels = [label for label in dict.fromkeys(table["label"]) if label in seconds]
    groups = families or {label: [label] for label in labels}
    shown = {name: [m for m in members if m in seconds] for name, members in groups.items()}
    marks = {name: _look(k) for k, name in enumerate(n for n, members in shown.items() if members)}
    looks = {label: marks[name] for name in marks for label in shown[name]}
    lines = -(-len(marks) // 3)
    drawn = figure(1.0 + 2.0 * len(targets), 2.6 + 0.17 * lines)
    panels = drawn.subplots(1, len(targets), sharey=True, squeeze=False)[0]
    for panel, target in zip(panels, targets, strict=True):
        _panel(panel, table.loc[table["target"] == target], seconds, looks)
        panel.set_title(plain(target))
    panels[0].set_ylabel("|τ|")
    panels[0].set_ylim(0, 1)
    drawn.supxlabel("seconds for one network", fontsize=8)
    keys = [
        Line2D([], [], color=colour, marker=marker, linestyle="none", markersize=5, label=label)
        for label, (colour, marker) in marks.items()
    ]
    drawn.legend(handles=keys, loc="outside upper left", ncols=min(3, len(targets) + 1))
    return drawn


def _look(place: int) -> tuple[str, str]:
    return CYCLE[place % len(CYCLE)], MARKERS[place // len(CYCLE) % len(MARKERS)]


def _panel(panel: Axes, rows: pd.DataFrame, seconds: dict[str, float], looks: dict) -> None:
    baseline = rows.loc[rows["proxy"].isin(list(BASELINES)), "tau"].abs().max()
    if baseline == baseline:
        panel.axhline(baseline, color=MUTED, linewidth=1, linestyle=(0, (4, 2)), zorder=0)
        panel.annotate(
            "baseline", (0.5, baseline), (0, 2), xycoords=("axes fraction", "data"),
            textcoords="offset points", fontsize=6.5, color=MUTED, ha="center",
        )  # fmt: skip
    panel.set_xscale("log")
    spell_powers(panel.xaxis)
    panel.grid(color=GRID, linewidth=0.5, zorder=0)
    for row in records(rows):
        tau = known(row, "tau")
        if row["label"] not in looks or tau is None:
            continue
        colour, marker = looks[row["label"]]
        spent = seconds[row["label"]]
        if (limits := bounds(row)) is not None:
            # The interval of τ, seen from the side of its sign.
            ends = sorted(limit if tau >= 0 else -limit for limit in limits)
            panel.plot([spent] * 2, [max(0.0, end) for end in ends], color=colour, linewidth=1)
        point = panel.scatter(
            [spent], [abs(tau)], 26, marker=marker, edgecolors=colour, linewidths=1.2,
            facecolors=colour if tau >= 0 else "none", zorder=3,
        )  # fmt: skip
        hover(point, f"{tau_in_words(row)}; {general(spent)} s for one network")
    panel.margins(x=0.15)
