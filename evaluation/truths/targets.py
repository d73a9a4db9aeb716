"""What an accuracy is of: clean images, an attack at an ε, a corruption, or a mean of these."""

import math
import re
from dataclasses import dataclass, replace
from functools import total_ordering
from typing import Any

from evaluation.attacks.names import ATTACKS, find
from testbed.basis.errors import InputError
from testbed.basis.foreign_text import quoted, shown
from testbed.basis.units import epsilon_of, in_pixels

__all__ = ["CLEAN", "MEANS", "MEAN_ADVERSARIAL", "MEAN_CORRUPTION", "Target"]

MEAN_ADVERSARIAL, MEAN_CORRUPTION = MEANS = ("mean adversarial", "mean corruption")
# name, then norm and level in either order, then the norm as it is printed.
FORM = re.compile(r"([^@()]+)((?:@[^@()]+){0,2})(?:\s*\(([^@()]+)\))?")
NORMS = {"linf": "Linf", "l2": "L2", "l1": "L1"}
PRINTED = {"Linf": "ℓ∞", "L2": "ℓ2", "L1": "ℓ1"}


@total_ordering
@dataclass(frozen=True)
class Target:
    """What an accuracy is of; attacks in two norms are two targets, and are never averaged.

    A name may be given as in print, in the published files or on a command line, and is kept
    as the attack's own. Targets are ordered: clean, attacks (ℓ∞ first, then by attack and ε),
    corruptions, the mean adversarial and the mean corruption.

    Attributes:
        name: ``clean``, an attack, a corruption, ``mean adversarial`` or ``mean corruption``.
        norm: of an attack, or of a mean of attacks, ``Linf`` (of a known attack the default)
            or ``L2``; None for everything else.
        level: ε in units of 1/255, or severity; None where there is none. An attack without
            it is the attack at all its ε.

    Raises:
        ValueError: if the name is empty, or the level is negative or not a finite number.
    """

    name: str
    norm: str | None = None
    level: float | None = None

    def __post_init__(self) -> None:
        name = _name(self.name)
        if not name:
            raise InputError("a target has a name, such as clean or fgsm; got none")
        if self.level is not None and not (self.level >= 0 and math.isfinite(self.level)):
            raise InputError(
                f"{shown(name)}: an ε or a severity is a number from 0, got {self.level!r}"
            )
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "norm", self.norm or _usual_norm(name))
        object.__setattr__(self, "level", None if self.level is None else float(self.level))

    @staticmethod
    def parse(text: str) -> "Target":
        """Read a target as a column names it, as it is printed, or as commands take it.

        ``fgsm@1``, ``FGSM@8/255``, ``apgd-ce@0.5``, ``pgd@L2@20``, ``PGD@20 (ℓ2)``, ``fog@3``,
        ``gaussian noise@3``, ``clean``, ``mean adversarial`` and ``pgd`` are such, in any case.

        Raises:
            ValueError: if the text has another form.
        """
        match = FORM.fullmatch(text.strip())
        if match is None:
            raise InputError(_unreadable(text))
        words = [word.strip() for word in match[2].split("@")[1:]]
        levels = [word for word in words if _is_number(word)]
        norms = [word for word in words if not _is_number(word)]
        norms += [match[3]] if match[3] else []
        if len(levels) > 1 or len(norms) > 1 or any("/" in word for word in norms):
            raise InputError(_unreadable(text))
        norm = _norm(norms[0]) if norms else None
        target = Target(match[1], norm, epsilon_of(levels[0]) if levels else None)
        if levels and "/" in levels[0] and not target.is_attack:  # a severity has no unit
            raise InputError(_unreadable(text))
        return target

    @staticmethod
    def of_measure(measure: str, level: float | None = None) -> "Target":
        """Return the target of a key of the published files (``aa_apgd-ce@Linf``, ``fog``)."""
        name, _, norm = measure.partition("@")
        return Target(name, norm or None, level)

    @property
    def key(self) -> str:
        """Its short name in tables: ``fgsm@1``, ``pgd@L2@20``, ``fog@3``, ``clean``."""
        norm = [] if self.norm == _usual_norm(self.name) else [str(self.norm)]
        level = [] if self.level is None else [_digits(self.level)]
        name = ATTACKS[self.name].column if self.name in ATTACKS else self.name
        return "@".join([name, *norm, *level])

    @property
    def measure(self) -> str:
        """Its key in the published files and in the store, which has no level."""
        name = ATTACKS[self.name].published if self.name in ATTACKS else self.name
        return name if self.norm is None else f"{name}@{self.norm}"

    @property
    def family(self) -> "Target":
        """The attack in its norm, or the corruption, at all its levels."""
        return Target(self.name, self.norm)

    @property
    def meant(self) -> "Target | None":
        """The target that was meant if ε looks like one of pixels in [0, 1]; else None."""
        meant = in_pixels(self.level or 0.0) if self.is_attack else None
        return None if meant is None else replace(self, level=float(meant))

    @property
    def is_attack(self) -> bool:
        """Whether it is an attack, or the mean over attacks."""
        return self.norm is not None

    def __str__(self) -> str:
        """Return it as the field writes it: ``FGSM@1``, ``PGD@0.5 (ℓ2)``, ``fog@3``."""
        known = self.name in ATTACKS
        name = ATTACKS[self.name].title if known else self.name.replace("_", " ")
        level = "" if self.level is None else f"@{_digits(self.level)}"
        if self.norm == _usual_norm(self.name):
            return f"{name}{level}"
        return f"{name}{level} ({PRINTED.get(str(self.norm), self.norm)})"

    def __lt__(self, other: Any) -> bool:
        return self._place < other._place if isinstance(other, Target) else NotImplemented

    @property
    def _place(self) -> tuple:
        known = list(ATTACKS)
        kind = MEANS.index(self.name) + 3 if self.name in MEANS else 1 if self.is_attack else 2
        norm = list(PRINTED).index(self.norm) if self.norm in PRINTED else len(PRINTED)
        rank = known.index(self.name) if self.name in known else len(known)
        level = -1.0 if self.level is None else self.level
        return (0 if self == CLEAN else kind, norm, str(self.norm), rank, self.name, level)


def _digits(level: float) -> str:
    """Return a level in as few digits as tell it from every other one."""
    few = f"{level:g}"
    return few if float(few) == level else repr(level)


def _name(word: str) -> str:
    spaced = " ".join(word.lower().replace("_", " ").split())
    name = spaced if spaced in MEANS else spaced.replace(" ", "_")
    attack = find(name)
    return name if attack is None else attack.name


def _usual_norm(name: str) -> str | None:
    return "Linf" if name in ATTACKS or name == MEAN_ADVERSARIAL else None


def _norm(word: str) -> str:
    return NORMS.get(word.strip().lower().replace("ℓ", "l").replace("∞", "inf"), word.strip())


def _is_number(word: str) -> bool:
    try:
        epsilon_of(word)
    except ValueError:
        return False
    return True


def _unreadable(text: str) -> str:
    return f"expected a target such as clean, fgsm@1, pgd@20 (ℓ2) or fog@3; got {quoted(text)}"


CLEAN = Target("clean")
