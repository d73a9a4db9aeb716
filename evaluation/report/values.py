"""The values of a figure as a table, so that a pointer is not needed to read them."""

import re
from dataclasses import dataclass
from html import unescape

__all__ = ["Values", "values_of"]

MOST = 400  # rows; a figure of more points has its numbers in a file beside the page
_TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)


@dataclass(frozen=True)
class Values:
    """What the hover texts of a figure say: a row each, its name and its value.

    Attributes:
        rows: name and value.
        more: the number of rows that are left out.
    """

    rows: list[tuple[str, str]]
    more: int = 0


def values_of(svg: str) -> Values:
    """Return the hover texts of a figure, each once, parted at their first colon.

    Args:
        svg: the text of the figure, see :func:`~evaluation.report.figures.svg.standalone`.
    """
    texts = dict.fromkeys(unescape(text) for text in _TITLE.findall(svg))
    rows = [(name, value) for name, _, value in (text.partition(": ") for text in texts) if name]
    return Values(rows[:MOST], max(0, len(rows) - MOST))
