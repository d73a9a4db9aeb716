"""Settings of attacks as a command takes them: ``--set square.queries=200``."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, get_type_hints

from evaluation.attacks.names import attack_named
from evaluation.attacks.registry import settings_of
from testbed.command import assignments

__all__ = ["assigned"]

NOUNS = ("attack", "attacks", "square.queries=200")


def assigned(words: Sequence[str], attacks: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return by attack the settings that are given as ``attack.setting=value``.

    A value has the type of the field of the attack's class. Whether a value makes sense is
    checked when the attack is made.

    Args:
        words: any name of an attack serves.
        attacks: the names of those that will be run.

    Raises:
        InputError: as `testbed.command.assignments.assigned` does.
    """
    return assignments.assigned(words, attacks, NOUNS, _named, _settings)


def _named(word: str) -> str:
    return attack_named(word).name


def _settings(name: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    return settings_of(name), get_type_hints(attack_named(name).kind)
