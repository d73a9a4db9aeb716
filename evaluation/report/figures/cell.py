"""A cell drawn as a graph: four nodes, six edges, each coloured by its operation."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from evaluation.report.figures.operations import COLOURS, EDGE_NAMES, NAMES
from evaluation.report.figures.style import INK, MUTED, figure, hover
from testbed.spaces import registry

__all__ = ["cell"]

# Where a node stands, and how far an edge bends from the straight line: neighbours are joined
# straight, and no arc meets another but at a node.
NODES = ((0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (3.0, 0.0))
BENDS = {(0, 2): -0.5, (1, 3): 0.5, (0, 3): -0.72}
NODE_NAMES = ("0: input", "1", "2", "3: output")


def cell(genotype: Any) -> Figure:
    """Draw an architecture of NAS-Bench-201; an edge that carries no signal is grey and dotted.

    An edge of operation ``none`` is dotted too; its place stays, so that cells compare.
    """
    drawn = figure(4.1, 2.5)
    panel = drawn.add_subplot()
    space = registry.get("nasbench201")
    (graph,) = space.cells(genotype)
    for name, edge, live in zip(EDGE_NAMES, graph.edges, graph.live, strict=True):
        _edge(panel, edge[:2], edge[2], live, name)
    across, up = zip(*NODES, strict=True)
    panel.scatter(across, up, 260, "none", edgecolors=INK, linewidths=1, zorder=3)
    for (x, y), name in zip(NODES, NODE_NAMES, strict=True):
        number, _, role = name.partition(": ")
        panel.text(x, y, number, ha="center", va="center_baseline", fontsize=8.5, zorder=4)
        if role:
            panel.text(x, y - 0.27, role, ha="center", va="top", fontsize=7.5, color=MUTED)
    panel.set_xlim(-0.4, 3.4)
    panel.set_ylim(-0.85, 1.3)
    panel.set_aspect("equal")
    panel.set_axis_off()
    panel.set_title(f"network {space.number(genotype)}")
    return drawn


def _edge(panel: Axes, edge: tuple[int, int], operation: str, live: bool, name: str) -> None:
    (x0, y0), (x1, y1) = NODES[edge[0]], NODES[edge[1]]
    bend = BENDS.get(edge, 0.0)
    colour = COLOURS[operation] if live else COLOURS["none"]
    arrow = FancyArrowPatch(
        (x0, y0), (x1, y1), connectionstyle=f"arc3,rad={bend}", arrowstyle="-|>",
        mutation_scale=9, shrinkA=9.5, shrinkB=9.5, color=colour, linewidth=2.4 if live else 1.2,
        linestyle="solid" if live else (0, (1, 2)),
    )  # fmt: skip
    panel.add_patch(arrow)
    dead = operation != "none" and not live
    hover(arrow, f"{name}: {NAMES[operation]}{', dead: it carries no signal' if dead else ''}")
    # The middle of arc3's quadratic curve, whose control point is `bend` of its length aside.
    middle = ((x0 + x1) / 2, (y0 + y1) / 2 - bend * (x1 - x0) / 2)
    above = bend <= 0
    panel.text(
        middle[0], middle[1] + (0.06 if above else -0.06),
        NAMES[operation] + ("\n(dead)" if dead else ""),
        ha="center", va="bottom" if above else "top", fontsize=7.5, linespacing=1,
        color=INK if live else MUTED,
    )  # fmt: skip
