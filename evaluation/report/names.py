"""Targets in groups, and names as the field writes them."""

from collections.abc import Iterable

from evaluation.truths.published import ATTACKS, title

__all__ = ["attack_title", "attacks_of", "corruptions_of", "grouped", "plain"]

_ATTACKS = frozenset(ATTACKS.values())


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
