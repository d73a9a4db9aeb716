"""Consoles on which names and paths are what they are, and never markup.

``rich`` reads ``[bold]`` in a text as a style and fails at ``a[/b].sqlite``: every console of the
toolkit is made here, and reads nothing.
"""

from typing import Any

from rich.console import Console

__all__ = ["plain_console"]

NARROWEST, USUAL = 20, 80  # columns


def plain_console(stderr: bool = False, **options: Any) -> Console:
    """Return a console that prints text as it is.

    Args:
        stderr: whether it prints on standard error.
        options: of `rich.console.Console`.
    """
    console = Console(stderr=stderr, markup=False, emoji=False, **options)
    # Of a terminal whose width nobody knows COLUMNS may be 0, and nothing would be printed.
    if console.width < NARROWEST:
        console.width = NARROWEST if console.width > 0 else USUAL
    return console
