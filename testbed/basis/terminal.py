"""Consoles on which names and paths are what they are, and never markup.

``rich`` reads ``[bold]`` in a text as a style and fails at ``a[/b].sqlite``: every console of the
toolkit is made here, and reads nothing.
"""

from typing import Any

from rich.console import Console

__all__ = ["plain_console"]


def plain_console(stderr: bool = False, **options: Any) -> Console:
    """Return a console that prints text as it is.

    Args:
        stderr: whether it prints on standard error.
        options: of `rich.console.Console`.
    """
    return Console(stderr=stderr, markup=False, emoji=False, **options)
