"""The table of attacks: name → class, and the key of the published layout."""

from dataclasses import dataclass, fields
from typing import Any

from evaluation.attacks.apgd import APGDCE, APGDDLR, APGDT
from evaluation.attacks.base import Attack
from evaluation.attacks.ensemble import Standard
from evaluation.attacks.fab import FABT
from evaluation.attacks.norms import BALLS
from evaluation.attacks.original import MEMBERS, Original, package
from evaluation.attacks.pgd import FGSM, PGD
from evaluation.attacks.square import Square
from testbed.errors import InputError

__all__ = ["ATTACKS", "AttackSpec", "make"]


@dataclass(frozen=True)
class AttackSpec:
    """One attack of the table.

    Attributes:
        kind: its class.
        summary: what it is, in a line.
        published: its name in the published layout, before the norm.
    """

    kind: type[Attack]
    summary: str
    published: str

    @property
    def name(self) -> str:
        """Its name on the command line."""
        return self.kind.name

    def key(self, norm: str) -> str:
        """Return the key of the published layout, ``fgsm@Linf`` for instance."""
        return f"{self.published}@{norm}"


_SPECS = (
    AttackSpec(FGSM, "one signed gradient step", "fgsm"),
    AttackSpec(PGD, "40 signed gradient steps from a random start", "pgd"),
    AttackSpec(APGDCE, "Auto-PGD on the cross-entropy, 100 steps", "aa_apgd-ce"),
    AttackSpec(APGDDLR, "Auto-PGD on the difference of logits ratio", "aa_apgd-dlr"),
    AttackSpec(APGDT, "Auto-PGD on the targeted DLR loss, 9 targets", "aa_apgd-t"),
    AttackSpec(FABT, "FAB, targeted: the smallest perturbation, 9 targets", "aa_fab-t"),
    AttackSpec(Square, "random search along squares, 5,000 queries, no gradients", "aa_square"),
    AttackSpec(Standard, "AutoAttack: APGD-CE, APGD-T, FAB-T, Square", "aa_standard"),
)
BACKENDS = ("own", "original")
ATTACKS = {spec.name: spec for spec in _SPECS}


def make(name: str, norm: str = "Linf", *, backend: str = "own", **settings: Any) -> Attack:
    """Return an attack by its name, with its paper's settings but for those given.

    Args:
        name: one of `ATTACKS`.
        norm: ``Linf`` or ``L2``.
        backend: ``own``, or ``original`` for the package of AutoAttack's authors.
        settings: fields of the attack's class.

    Raises:
        ValueError: if the name, the norm, the backend or a setting is unknown, or the
            authors' package is not installed or has no such attack.
    """
    if name not in ATTACKS:
        raise InputError(f"unknown attack {name!r}; there are {', '.join(ATTACKS)}")
    if norm not in BALLS:
        raise InputError(f"unknown norm {norm!r}; there are {', '.join(BALLS)}")
    if backend not in BACKENDS:
        raise InputError(f"unknown backend {backend!r}; there are {', '.join(BACKENDS)}")
    if backend == "original":
        return _original(name, norm, settings)
    kind = ATTACKS[name].kind
    _refuse_unknown(name, [field.name for field in fields(kind) if field.name != "norm"], settings)
    return kind(norm=norm, **settings)


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
            raise InputError(f"{name} has no setting {setting!r}; it has {there}")
