"""How robust the networks are: box plots of accuracy by ε and by severity (the paper's Figure 2).

Jung, Lukasik and Keuper, ICLR 2023.
"""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.attacks.names import ATTACKS
from evaluation.report.figures.style import CYCLE, INK, MUTED, figure, hover
from evaluation.report.names import grouped, plain
from evaluation.truths.targets import Target
from testbed.command.numbers import general

__all__ = ["attack_boxes", "box", "corruption_boxes"]

ACROSS_ATTACKS, ACROSS_CORRUPTIONS = 2, 5


def attack_boxes(accuracies: pd.DataFrame, guessing: float | None) -> Figure:
    """Draw the accuracies under each attack, one panel an attack, one box an ε.

    ε = 0 is clean accuracy.

    Args:
        accuracies: one row a network; columns ``clean``, ``fgsm@1``, … as of
            :meth:`~evaluation.truths.published.Truth.targets`, of attacks alone.
        guessing: the accuracy of guessing, drawn as a line; None leaves it out.
    """
    attacks = grouped(map(str, accuracies.columns))
    drawn = figure(7.0, 0.35 + 1.95 * math.ceil(len(attacks) / ACROSS_ATTACKS))
    panels = _panels(drawn, len(attacks), ACROSS_ATTACKS)
    for panel, (place, (attack, members)) in zip(panels, enumerate(attacks.items()), strict=True):
        columns = [*(["clean"] if "clean" in accuracies else []), *members]
        ticks = [f"{Target.parse(column).level or 0:g}" for column in columns]
        record = ATTACKS.get(attack.name)
        colour = (record and record.colour) or CYCLE[place % len(CYCLE)]
        _boxes(panel, accuracies.filter(columns), ticks, colour, guessing)
        panel.set_title(str(attack))
        panel.set_xlabel("ε in units of 1/255")
    _finish(panels, ACROSS_ATTACKS, guessing)
    return drawn


def corruption_boxes(accuracies: pd.DataFrame, guessing: float | None) -> Figure:
    """Draw the accuracies on each corruption, one panel a corruption, one box a severity.

    Args:
        accuracies: one row a network; columns ``fog@1`` to ``fog@5``, … of corruptions alone.
        guessing: as for :func:`attack_boxes`.
    """
    corruptions = grouped(map(str, accuracies.columns))
    across = min(ACROSS_CORRUPTIONS, len(corruptions))
    drawn = figure(7.0, 0.35 + 1.55 * math.ceil(len(corruptions) / across))
    panels = _panels(drawn, len(corruptions), across)
    for panel, (name, members) in zip(panels, corruptions.items(), strict=True):
        ticks = [f"{Target.parse(column).level:g}" for column in members]
        _boxes(panel, accuracies.filter(members), ticks, CYCLE[0], guessing)
        panel.set_title(str(name), fontsize=8)
    for panel in panels[-across:]:
        panel.set_xlabel("severity")
    _finish(panels, across, guessing)
    return drawn


def box(values: pd.Series) -> dict[str, float]:
    """Return what a box shows: quartiles, whiskers within 1.5 of their distance, extremes."""
    known = values.dropna().to_numpy()
    low, middle, high = np.quantile(known, [0.25, 0.5, 0.75])
    reach = 1.5 * (high - low)
    return {
        "q1": low,
        "med": middle,
        "q3": high,
        "whislo": known[known >= low - reach].min(),
        "whishi": known[known <= high + reach].max(),
        "min": known.min(),
        "max": known.max(),
    }


def _boxes(
    panel: Axes, table: pd.DataFrame, ticks: Sequence[str], colour: str, guessing: float | None
) -> None:
    boxes = [box(table[column]) for column in table]
    places = list(range(len(boxes)))
    line = {"color": colour, "linewidth": 0.9}
    artists = panel.bxp(
        [{**one, "fliers": []} for one in boxes],
        positions=places, widths=0.62, showfliers=False, patch_artist=True,
        boxprops={"facecolor": colour + "40", "edgecolor": colour, "linewidth": 0.9},
        medianprops={"color": INK, "linewidth": 1.3}, whiskerprops=line, capprops=line,
    )  # fmt: skip
    panel.scatter(places * 2, [b["min"] for b in boxes] + [b["max"] for b in boxes], 4, colour)
    for patch, b, column in zip(artists["boxes"], boxes, table, strict=True):
        hover(
            patch,
            f"{plain(str(column))}: median {b['med']:.3f}, quartiles {b['q1']:.3f} to "
            f"{b['q3']:.3f}, all {b['min']:.3f} to {b['max']:.3f}",
        )
    if guessing is not None:
        (drawn,) = panel.plot(
            [-0.7, len(boxes) - 0.3], [guessing] * 2, color=MUTED, linestyle=(0, (4, 2)), zorder=0.5
        )
        hover(drawn, f"guessing: {general(guessing)}")
    panel.set_xticks(places, ticks)
    panel.set_xlim(-0.7, len(boxes) - 0.3)
    panel.set_ylim(-0.02, 1.0)


def _panels(drawn: Figure, count: int, across: int) -> list[Axes]:
    rows = math.ceil(count / across)
    first = drawn.add_subplot(rows, across, 1)
    rest = [drawn.add_subplot(rows, across, k, sharey=first) for k in range(2, count + 1)]
    return [first, *rest]


def _finish(panels: list[Axes], across: int, guessing: float | None) -> None:
    if guessing is not None:
        panels[0].annotate(
            "guessing", (-0.6, guessing), (0, 1), textcoords="offset points", va="bottom",
            fontsize=6.5, color=MUTED,
        )  # fmt: skip
    for place, panel in enumerate(panels):
        if place % across:
            panel.tick_params(labelleft=False)
        else:
            panel.set_ylabel("accuracy")
