"""Where a document of the repository stands on the site, and its links from there.

Documents are written so that their links hold in the repository. Some of them lie outside of
``docs/``, beside the code that they are about, and join the site under a name of its own.
"""

import os
import posixpath
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

__all__ = ["JOINING", "ROOT", "page_of", "relinked", "unplaced"]

ROOT = Path(__file__).resolve().parents[2]

# Documents beside the code, by their places on the site.
JOINING = {
    "README.md": "index.md",
    "evaluation/attacks/README.md": "reference/attacks.md",
    "evaluation/search/README.md": "reference/searches.md",
    "testbed/corruptions/README.md": "reference/corruptions.md",
    "ARCHITECTURE.md": "project/architecture.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
}

_LINK = re.compile(r"(!?)\[((?:[^\]\[]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
_FENCE = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)


def page_of(place: str) -> str | None:
    """Return the page on the site of a file of the repository, None if it has none."""
    if place.startswith("docs/"):
        return place.removeprefix("docs/")
    # A folder is shown by its README, as on the usual hosts.
    return JOINING.get(place) or JOINING.get(posixpath.join(place, "README.md"))


def relinked(text: str, place: str, page: str) -> str:
    """Return a document with the links that it has on the site.

    A link to a file that is no page becomes its words alone: the site holds no code.

    Args:
        text: of the document.
        place: where it lies in the repository, as ``evaluation/search/README.md``.
        page: where it stands on the site, as ``reference/searches.md``.
    """

    def new(link: re.Match[str]) -> str:
        image, words, target = link.groups()
        path, _, anchor = target.partition("#")
        if not path or re.match(r"[a-z]+:", target):
            return link[0]
        there = posixpath.normpath(posixpath.join(posixpath.dirname(place), path))
        found = page_of(there)
        if found is None:
            return words
        relative = posixpath.relpath(found, posixpath.dirname(page) or os.curdir)
        return f"{image}[{words}]({relative}{'#' * bool(anchor)}{anchor})"

    parts = _FENCE.split(text)
    # The odd parts are blocks of code.
    return "".join(part if n % 2 else _LINK.sub(new, part) for n, part in enumerate(parts))


def unplaced(nav: list[Any], pages: Iterable[str]) -> list[str]:
    """Return the pages that a navigation, as MkDocs reads it, does not name, in order."""
    named: set[str] = set()
    waiting = [nav]
    while waiting:
        entry = waiting.pop()
        if isinstance(entry, str):
            named.add(entry)
        else:
            waiting += entry.values() if isinstance(entry, dict) else entry
    return sorted(set(pages) - named)
