"""Targets in groups, and names as the field writes them."""

from collections import Counter
from collections.abc import Iterable

import pandas as pd

from evaluation.ground_truth import ATTACKS, title
from evaluation.score_columns import IDENTITY, Identity, labels

__all__ = ["attack_title", "attacks_of", "corruptions_of", "grouped", "plain", "with_labels"]

_ATTACKS = frozenset(ATTACKS.values())
_INIT = {"random": "initialised"}


def attack_title(attack: str) -> str:
    """Return an attack or a corruption as the field writes it, without ε or severity."""
    return title(f"{attack}@0").removesuffix("@0").replace("_", " ")


def plain(target: str) -> str:
    """Return a target as the field writes it: ``FGSM@1``, ``gaussian noise@3``."""
    return title(target).replace("_", " ")


def grouped(targets: Iterable[str]) -> dict[str, list[str]]:
    """Return the targets of each attack and each corruption; those of neither are left out."""
    groups: dict[str, list[str]] = {}
    for target in targets:
        head, at, _ = target.partition("@")
        if at:
            groups.setdefault(head, []).append(target)
    return groups


def attacks_of(targets: Iterable[str]) -> list[str]:
    """Return the targets that are an attack at an ε."""
    return [target for name, of in grouped(targets).items() if name in _ATTACKS for target in of]


def corruptions_of(targets: Iterable[str]) -> list[str]:
    """Return the targets that are a corruption at a severity."""
    groups = grouped(targets).items()
    return [target for name, of in groups if name not in _ATTACKS for target in of]


def with_labels(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table of a ranking with a column ``label``: a short name for each row's scores.

    The proxy's name, and ``initialised``, ``trained`` or ``pretrained`` where its columns
    differ in that alone to tell them apart; else all that differs.
    """
    identities: list[Identity] = list(dict.fromkeys(map(_identity, _rows(table))))
    counts = Counter(identity[0] for identity in identities)
    short = [
        f"{i[0]}, {_INIT.get(i[1], i[1])}" if counts[i[0]] > 1 and i[1] else i[0]
        for i in identities
    ]
    full = labels(identities)
    names = {
        identity: few if short.count(few) == 1 else many
        for identity, few, many in zip(identities, short, full, strict=True)
    }
    return table.assign(label=[names[_identity(row)] for row in _rows(table)])


def _rows(table: pd.DataFrame) -> list[tuple]:
    return list(table[list(IDENTITY)].itertuples(index=False, name=None))


def _identity(row: tuple) -> Identity:
    proxy, init, images, settings = map(str, row)
    return proxy, init, images, settings
