"""Tables of numbers on a terminal, in which no number is cut.

A table of ``rich`` that is wider than the screen loses the ends of its numbers: +.6… for +.613.
Here the columns that do not fit come in further blocks, each under the names of its rows.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["Row", "print_table"]

GAP = 2  # between columns


class Row(NamedTuple):
    """One row: the name, the other cells, and ``rich``'s style."""

    name: str
    cells: tuple[str, ...]
    style: str = ""


def print_table(
    first: str, headings: Sequence[str], rows: Sequence[Row], console: Console, *,
    title: str = "", names: Literal["left", "right"] = "left",
) -> None:  # fmt: skip
    """Print rows under headings, in blocks of as many columns as fit the console's width.

    Args:
        first: heads the names of the rows, which are folded where they take over half the width.
        headings: of the other columns, whose cells stand on the right.
        rows: each with as many cells as there are headings.
        console: to print on.
        title: stands above the first block.
        names: the side on which names stand.
    """
    name_width = min(max(map(cell_len, (first, *(row.name for row in rows)))), console.width // 2)
    widths = [
        max(map(cell_len, (heading, *(row.cells[place] for row in rows))))
        for place, heading in enumerate(headings)
    ]
    if title:
        console.print(Text(title, style="italic"))
    for number, places in enumerate(_blocks(widths, console.width - name_width)):
        if number:
            console.print()
        block = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold")
        block.add_column(first, justify=names, overflow="fold", width=name_width)
        for place in places:
            # The last column may be of one long word, which goes on below.
            block.add_column(
                Text(headings[place]), justify="right", overflow="fold", min_width=widths[place]
            )
        for row in rows:
            cells = (row.cells[place] for place in places)
            block.add_row(Text(row.name), *map(Text, cells), style=row.style)
        console.print(block)


def _blocks(widths: Sequence[int], room: int) -> Iterator[list[int]]:
    """Yield the places of columns that stand side by side, at least one at a time."""
    some, left = list[int](), room
    for place, width in enumerate(widths):
        if some and width + GAP > left:
            yield some
            some, left = [], room
        some.append(place)
        left -= width + GAP
    yield some
