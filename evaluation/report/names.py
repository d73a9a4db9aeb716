"""Columns of a truth in groups, and as the field writes them."""

from collections.abc import Iterable

from evaluation.ranking.labels import printable
from evaluation.truths.targets import Target

__all__ = ["attacks_of", "corruptions_of", "grouped", "plain"]


def plain(target: str) -> str:
    """Return a target as the field writes it: ``FGSM@1``, ``gaussian noise@3``."""
    return printable(str(Target.parse(target)))


def grouped(targets: Iterable[str]) -> dict[Target, list[str]]:
    """Return the targets of each attack in its norm, and of each corruption, at a level."""
    groups: dict[Target, list[str]] = {}
    for name in targets:
        target = Target.parse(name)
        if target.level is not None:
            groups.setdefault(target.family, []).append(name)
    return groups


def attacks_of(targets: Iterable[str]) -> list[str]:
    """Return the targets that are an attack at an ε."""
    return [name for of, names in grouped(targets).items() if of.is_attack for name in names]


def corruptions_of(targets: Iterable[str]) -> list[str]:
    """Return the targets that are a corruption at a severity."""
    return [name for of, names in grouped(targets).items() if not of.is_attack for name in names]
