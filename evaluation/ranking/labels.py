"""The names of score columns: short, printable, each once, whatever a file of scores says."""

import contextlib
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pandas as pd

__all__ = ["IDENTITY", "Identity", "facts_of", "labels", "printable", "row_labels"]

Identity = tuple[str, str, str, str]
IDENTITY = ("proxy", "init", "images", "settings")
LONGEST = 80  # letters of a label; figures and tables leave room for so many
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def labels(identities: Sequence[Identity]) -> list[str]:
    """Return a name for each column: its proxy, and the facts that set it apart from others.

    Of the facts that differ, the first ones that suffice are named: ``jacobian_norm (trained)``.
    A name is fit for a terminal, a figure and a page, see :func:`printable`; of names that are
    the same then, the second one ends in ``#2``.
    """
    names = [
        printable(_label(identity, [other for other in identities if other[0] == identity[0]]))
        for identity in identities
    ]
    taken = Counter(names)
    for place, name in enumerate(names):
        if name in names[:place]:
            number = 2
            while f"{name} #{number}" in taken:
                number += 1
            names[place] = f"{name} #{number}"
            taken[names[place]] += 1
    return names


def printable(text: str, longest: int = LONGEST) -> str:
    """Return text on one line: spaces for white space, � for what cannot be printed, and cut.

    >>> printable("a\\n\\tb\\0")
    'a b�'
    """
    # A long text is cut first: it may be of any length.
    words = " ".join(text[: 4 * longest].split())
    shown = "".join(letter if letter.isprintable() else REPLACEMENT for letter in words)
    whole = len(shown) <= longest and len(text) <= 4 * longest
    return (shown if whole else f"{shown[: longest - 1].rstrip()}…") or REPLACEMENT


def row_labels(table: pd.DataFrame) -> list[str]:
    """Return for each row of a table with the columns of ``IDENTITY`` the name of its column."""
    identities = [tuple(map(str, row)) for row in table[list(IDENTITY)].itertuples(index=False)]
    unique = list(dict.fromkeys(identities))
    names = dict(zip(unique, labels(unique), strict=True))  # type: ignore[arg-type]
    return [names[identity] for identity in identities]


def facts_of(identity: Identity) -> dict[str, str]:
    """Return init, images and each setting of a column in one flat dictionary."""
    settings: Any = identity[3]
    with contextlib.suppress(json.JSONDecodeError, RecursionError):
        settings = json.loads(settings)
    if not isinstance(settings, dict):
        settings = {"settings": settings}
    plain = {k: v if isinstance(v, str) else json.dumps(v) for k, v in settings.items()}
    return {"init": identity[1], "images": identity[2], **plain}


def _label(identity: Identity, peers: list[Identity]) -> str:
    own, others = facts_of(identity), [facts_of(peer) for peer in peers]
    chosen: list[str] = []
    for name in dict.fromkeys(name for facts in others for name in facts):
        before = len({tuple(facts.get(n) for n in chosen) for facts in others})
        if len({tuple(facts.get(n) for n in (*chosen, name)) for facts in others}) > before:
            chosen.append(name)
    named = ", ".join(
        own[name] if name == "init" else f"{name}={own[name]}" for name in chosen if own.get(name)
    )
    return f"{identity[0]} ({named})" if named else identity[0]
