"""The parts of documents that are made from the code.

A document says ``<!-- generated: commands -->`` where the part of that name belongs.
"""

import re
from collections.abc import Callable, Mapping

from scripts.pages.columns import accuracy_columns, score_columns
from scripts.pages.commands import commands
from scripts.pages.proxies import proxies
from scripts.pages.store import store

__all__ = ["PARTS", "filled"]

PARTS: Mapping[str, Callable[[], str]] = {
    "accuracy_columns": accuracy_columns,
    "commands": commands,
    "proxies": proxies,
    "score_columns": score_columns,
    "store": store,
}

_MARK = re.compile(r"^<!-- generated: (\w+) -->$", re.MULTILINE)


def filled(text: str) -> str:
    """Return a document with its generated parts.

    Raises:
        KeyError: if it asks for a part that there is not.
    """
    return _MARK.sub(lambda mark: PARTS[mark[1]](), text)
