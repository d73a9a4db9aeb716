"""What a command measures: words such as ``fgsm,pgd`` or ``fog`` and their levels."""

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.attacks import make
from evaluation.attacks.epsilons import check_epsilons
from evaluation.attacks.names import attack_named
from evaluation.robustness.pieces import Measure
from testbed.basis.errors import InputError
from testbed.basis.units import epsilon_of
from testbed.corruptions import CORRUPTIONS, SEVERITIES

__all__ = ["attack_measures", "corruption_measures", "parse_epsilons"]


def parse_epsilons(option: str) -> tuple[float, ...] | None:
    """Return the ε of an option such as ``0.5,1,2``; None for ``paper``.

    Raises:
        ValueError: if a word is no number from 0, or comes twice.
    """
    if option == "paper":
        return None
    try:
        epsilons = tuple(sorted(epsilon_of(word) for word in option.split(",") if word.strip()))
    except ValueError:
        epsilons = ()
    if not epsilons or not all(0 <= e < float("inf") for e in epsilons):
        raise InputError(
            f"ε are numbers in units of 1/255, such as 0.5,1,2, or 8/255, or the word paper; "
            f"got {option!r}"
        )
    if len(set(epsilons)) < len(epsilons):
        raise InputError(f"an ε stands twice in {option!r}")
    return epsilons


def attack_measures(
    names: Sequence[str], norm: str, epsilons: tuple[float, ...] | None,
    settings: Mapping[str, Mapping[str, Any]], backend: str = "own",
) -> list[Measure]:  # fmt: skip
    """Return the measures of attacks.

    Args:
        names: any that `evaluation.attacks.names` knows.
        norm: ``Linf`` or ``L2``.
        epsilons: of every attack, in units of 1/255; None for those of the paper.
        settings: by the attack's own name, what differs from its paper.
        backend: ``own`` or ``original``.

    Raises:
        ValueError: if a name or a setting is unknown, or an ε makes no sense.
    """
    measures = []
    for record in map(attack_named, names):
        attack = make(record.name, norm, backend=backend, **settings.get(record.name, {}))
        levels = epsilons or record.epsilons
        check_epsilons(levels, norm)
        measures.append(Measure(record.key(norm), levels, attack, record.origin))
    return measures


def corruption_measures(names: Sequence[str], source: str) -> list[Measure]:
    """Return the measures of corruptions, each at its five severities.

    Args:
        names: of the benchmark, ``fog`` for instance.
        source: where the corrupted images come from, for the keys.

    Raises:
        ValueError: if a name is unknown.
    """
    for name in names:
        if name not in CORRUPTIONS:
            raise InputError(f"unknown corruption {name!r}; there are {', '.join(CORRUPTIONS)}")
    levels = tuple(map(float, SEVERITIES))
    return [Measure(name, levels, settings={"corrupted": source}) for name in names]
