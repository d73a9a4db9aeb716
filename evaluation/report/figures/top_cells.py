"""The most robust networks, edge by edge, coloured by operation (the paper's Figure 5)."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from evaluation.report.figures.operations import COLOURS, EDGE_NAMES, LETTERS, NAMES, OPERATIONS
from evaluation.report.figures.style import BLUE, GRID, MUTED, figure, hover, ink_for
from testbed.spaces import registry

__all__ = ["top_cells"]


def top_cells(networks: Sequence[tuple[Any, float]], span: tuple[float, float]) -> Figure:
    """Draw one row for each network: the operation of each edge, and the accuracy.

    Args:
        networks: the networks with their accuracies, best first.
        span: the smallest and the largest accuracy of the networks they were chosen from.
    """
    count = len(networks)
    drawn = figure(5.2, 0.95 + 0.225 * count)
    cells, bars = drawn.subplots(1, 2, sharey=True, width_ratios=(1.5, 1))
    for place, (genotype, mean) in enumerate(networks):
        _operations(cells, place, genotype)
        (line,) = bars.plot([span[0], mean], [place, place], color=GRID, linewidth=1, zorder=1)
        point = bars.scatter([mean], [place], 22, BLUE, zorder=2)
        for artist in (line, point):
            hover(artist, f"network {genotype.index}: {mean:.4f}")
    cells.set_xlim(-0.5, len(EDGE_NAMES) - 0.5)
    cells.set_ylim(count - 0.5, -0.5)
    cells.set_xticks(
        range(len(EDGE_NAMES)), [f"{k}\n{name}" for k, name in enumerate(EDGE_NAMES, 1)]
    )
    cells.set_xlabel("edge")
    cells.set_yticks(range(count), [f"{genotype.index}" for genotype, _ in networks])
    cells.set_ylabel("network, best first")
    cells.tick_params(length=0)
    cells.spines[:].set_visible(False)
    bars.tick_params(axis="y", length=0, labelleft=False)
    bars.spines["left"].set_visible(False)
    for value, name in zip(span, ("least", "largest"), strict=True):
        bars.axvline(value, color=MUTED, linewidth=0.7, linestyle=(0, (4, 2)), zorder=0)
        bars.annotate(
            f"{name}\n{value:.4f}", (value, -0.5), (0, 2), textcoords="offset points",
            fontsize=6.5, color=MUTED, ha="center", va="bottom",
        )  # fmt: skip
    bars.set_xlabel("mean adversarial accuracy")
    bars.margins(x=0.12)
    used = {operation for genotype, _ in networks for operation in genotype.operations}
    keys = [
        Patch(facecolor=COLOURS[o], label=f"{LETTERS[o]}  {NAMES[o]}")
        for o in OPERATIONS
        if o in used
    ]
    drawn.legend(handles=keys, loc="outside upper left", ncols=5, handlelength=1, columnspacing=1.2)
    return drawn


def _operations(panel: Axes, place: int, genotype: Any) -> None:
    (graph,) = registry.get("nasbench201").cells(genotype)
    for edge, ((_, _, operation), live) in enumerate(zip(graph.edges, graph.live, strict=True)):
        dead = operation != "none" and not live
        colour = COLOURS[operation]
        tile = Rectangle(
            (edge - 0.45, place - 0.42), 0.9, 0.84, linewidth=0.8, edgecolor=colour,
            facecolor="none" if dead or operation == "none" else colour,
        )  # fmt: skip
        panel.add_patch(tile)
        hover(
            tile,
            f"network {genotype.index}, edge {edge + 1} ({EDGE_NAMES[edge]}): "
            f"{NAMES[operation]}{', dead' if dead else ''}",
        )
        ink = MUTED if dead or operation == "none" else ink_for(colour)
        panel.text(
            edge, place, LETTERS[operation], color=ink, fontsize=7, ha="center",
            va="center_baseline",
        )  # fmt: skip
