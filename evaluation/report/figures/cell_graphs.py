"""Cells of any search space as graphs, one panel a cell, each edge labelled by its operation."""

from collections.abc import Iterable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from evaluation.report.figures.operations import COLOURS, NAMES
from evaluation.report.figures.style import INK, MUTED, figure, hover
from testbed.spaces.space import Cell

__all__ = ["cell_graphs", "coloured", "node_places"]

# Of operations that NAS-Bench-201 does not have, in the order in which they are met.
FURTHER = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7", "#7a5195", "#8c6d31")


def cell_graphs(cells: Sequence[Cell]) -> Figure:
    """Draw cells; an edge that carries no signal is grey and dotted.

    A node stands as far to the right as its longest way from an input is long.

    Args:
        cells: what `SearchSpace.cells` returns, not empty.
    """
    colours = coloured(dict.fromkeys(o for cell in cells for _, _, o in cell.edges))
    drawn = figure(6.4, 2.9 * len(cells))
    panels = drawn.subplots(len(cells), 1, squeeze=False)[:, 0]
    for panel, cell in zip(panels, cells, strict=True):
        _draw(panel, cell, colours)
    return drawn


def coloured(operations: Iterable[str]) -> dict[str, str]:
    """Return a colour for each operation, each once; known ones have that of all figures."""
    unknown = [operation for operation in operations if operation not in COLOURS]
    return COLOURS | {o: FURTHER[place % len(FURTHER)] for place, o in enumerate(unknown)}


def _draw(panel: Axes, cell: Cell, colours: dict[str, str]) -> None:
    places = node_places(cell)
    sides: dict[tuple[int, int], int] = {}
    for (source, target, operation), live in zip(cell.edges, cell.live, strict=True):
        # Several edges between two nodes bend away from each other.
        again = sides[source, target] = sides.get((source, target), -1) + 1
        bend = -0.18 - 0.2 * again if places[target][0] - places[source][0] > 1 else -0.2 * again
        _edge(panel, places[source], places[target], bend, operation, live, colours)
    for (x, y), name in zip(places, cell.nodes, strict=True):
        panel.text(
            x, y, name, ha="center", va="center", fontsize=7, zorder=4,
            bbox={"boxstyle": "round", "facecolor": "white", "edgecolor": INK, "linewidth": 0.8},
        )  # fmt: skip
    across, up = zip(*places, strict=True)
    panel.set_xlim(min(across) - 0.5, max(across) + 0.5)
    panel.set_ylim(min(up) - 0.9, max(up) + 0.9)
    panel.set_axis_off()
    if cell.title:
        panel.set_title(cell.title)


def node_places(cell: Cell) -> list[tuple[float, float]]:
    """Return where each node stands, to the right and up."""
    depth = [0] * len(cell.nodes)
    for source, target, _ in sorted(cell.edges, key=lambda edge: edge[1]):
        depth[target] = max(depth[target], depth[source] + 1)
    places = []
    for node, across in enumerate(depth):
        level = [other for other, there in enumerate(depth) if there == across]
        # Levels are shifted against each other, so that a long edge passes beside a node.
        up = (len(level) - 1) / 2 - level.index(node) + 0.25 * (across % 2)
        places.append((float(across), up))
    return places


def _edge(
    panel: Axes, start: tuple[float, float], end: tuple[float, float], bend: float,
    operation: str, live: bool, colours: dict[str, str],
) -> None:  # fmt: skip
    arrow = FancyArrowPatch(
        start, end, connectionstyle=f"arc3,rad={bend}", arrowstyle="-|>", mutation_scale=9,
        shrinkA=14, shrinkB=14, color=colours[operation] if live else COLOURS["none"],
        linewidth=2.0 if live else 1.1, linestyle="solid" if live else (0, (1, 2)),
    )  # fmt: skip
    panel.add_patch(arrow)
    name = NAMES.get(operation, operation)
    hover(arrow, name if live else f"{name}, dead: it carries no signal")
    # The middle of arc3's quadratic curve, whose control point is `bend` of its length aside.
    (x0, y0), (x1, y1) = start, end
    panel.text(
        (x0 + x1) / 2 + bend * (y1 - y0) / 2, (y0 + y1) / 2 - bend * (x1 - x0) / 2, name,
        ha="center", va="center", fontsize=6, color=INK if live else MUTED, zorder=3,
        bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"},
    )  # fmt: skip
