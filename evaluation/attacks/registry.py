"""An attack by its name: ``make("pgd", "L2", steps=10)``."""

from dataclasses import fields
from typing import Any

from evaluation.attacks.base import Attack
from evaluation.attacks.names import attack_named
from evaluation.attacks.norms import BALLS
from evaluation.attacks.original import MEMBERS, Original, package
from testbed.basis.errors import InputError, did_you_mean

__all__ = ["make", "settings_of"]

BACKENDS = ("own", "original")


def make(name: str, norm: str = "Linf", *, backend: str = "own", **settings: Any) -> Attack:
    """Return an attack by its name, with its paper's settings but for those given.

    Args:
        name: any name of an attack that `evaluation.attacks.names` knows.
        norm: ``Linf`` or ``L2``.
        backend: ``own``, or ``original`` for the package of AutoAttack's authors.
        settings: fields of the attack's class.

    Raises:
        InputError: if the name, the norm, the backend or a setting is unknown, or the
            authors' package is not installed or has no such attack.
    """
    record = attack_named(name)
    if norm not in BALLS:
        raise InputError(f"unknown norm {norm!r}; there are {', '.join(BALLS)}")
    if backend not in BACKENDS:
        raise InputError(f"unknown backend {backend!r}; there are {', '.join(BACKENDS)}")
    if backend == "original":
        return _original(record.name, norm, settings)
    _refuse_unknown(record.name, list(settings_of(record.name)), settings)
    return record.kind(norm=norm, **settings)


def settings_of(name: str) -> dict[str, Any]:
    """Return the settings of an attack by name, and their defaults; the norm is none of them."""
    kind = attack_named(name).kind
    return {field.name: field.default for field in fields(kind) if field.name != "norm"}


def _original(name: str, norm: str, settings: dict[str, Any]) -> Attack:
    if name not in MEMBERS:
        raise InputError(f"AutoAttack has no {name}: leave --backend own; it has {MEMBERS}")
    package()
    known = [field.name for field in fields(Original) if field.name not in ("norm", "member")]
    _refuse_unknown(f"the original {name}", [*known, "steps"], settings)
    # The authors' 100 steps cannot be set from outside.
    if settings.get("steps", 100) != 100:
        raise InputError(f"the original {name} has 100 steps; got {settings['steps']}")
    return Original(norm, name, **{n: v for n, v in settings.items() if n != "steps"})


def _refuse_unknown(name: str, known: list[str], settings: dict[str, Any]) -> None:
    for setting in settings:
        if setting not in known:
            there = ", ".join(known) or "none"
            hint = did_you_mean(setting, known)
            raise InputError(f"{name} has no setting {setting!r}; it has {there}{hint}")
