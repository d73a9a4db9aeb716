"""One record an attack: what it is called, where its class is, how it is shown.

Nothing here imports torch, so that commands, truths and figures can read it at no cost. An
attack is added by its class and its record: an entry of ``_RECORDS``, or a call of `register`.
"""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.basis.errors import InputError, did_you_mean
from testbed.basis.foreign_text import quoted

if TYPE_CHECKING:
    from evaluation.attacks.base import Attack

__all__ = [
    "ATTACKS", "PAPER_EPSILONS", "AttackRecord", "attack_named", "by_strength", "find", "register",
]  # fmt: skip

# Jung, Lukasik and Keuper, ICLR 2023, section 3: in units of 1/255.
PAPER_EPSILONS = (0.1, 0.5, 1.0, 2.0, 3.0, 4.0, 8.0)
FGSM_EPSILONS = (0.1, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 255.0)


@dataclass(frozen=True)
class AttackRecord:
    """What is known of an attack before its class is imported.

    Its settings and their defaults are the fields of its class, see `assignments`.

    Attributes:
        name: on command lines and in Python; the name of its class, too.
        title: as the field writes it.
        summary: what it is, in a line.
        where: its class, as ``module:class``.
        published: its name in the published files and in the store, before the norm; its name
            if not given.
        column: its name in tables of accuracies; its name if not given.
        aliases: other names that commands take.
        strength: its place among the attacks that are compared with each other: one that
            leaves more images right than the one below it is doubted. None takes no part.
        gradients: whether it needs gradients. One that does not tells of masked gradients.
        epsilons: of the published data, in units of 1/255.
        colour: in figures, ``#rrggbb``; any that is free if None.
        cites: its papers, as keys of the report's ``references.bib``.
    """

    name: str
    title: str
    summary: str
    where: str
    published: str = ""
    column: str = ""
    aliases: tuple[str, ...] = ()
    strength: float | None = None
    gradients: bool = True
    epsilons: tuple[float, ...] = PAPER_EPSILONS
    colour: str | None = None
    cites: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "published", self.published or self.name)
        object.__setattr__(self, "column", self.column or self.name)

    @property
    def kind(self) -> "type[Attack]":
        """Its class, which is imported now."""
        module, _, name = self.where.partition(":")
        return getattr(importlib.import_module(module), name)

    @property
    def words(self) -> tuple[str, ...]:
        """Everything it is called, in small letters, each once."""
        words = (self.name, self.column, self.published, self.title, *self.aliases)
        return tuple(dict.fromkeys(word.lower() for word in words))

    def key(self, norm: str) -> str:
        """Return the key of the published layout, ``fgsm@Linf`` for instance."""
        return f"{self.published}@{norm}"


def register(record: AttackRecord) -> AttackRecord:
    """Add an attack to the table and return its record.

    Raises:
        InputError: if one of its names is another attack's.
    """
    for word in record.words:
        if word in _NAMED:
            raise InputError(f"{word!r} of the attack {record.name} is {_NAMED[word]} already")
    ATTACKS[record.name] = record
    _NAMED.update(dict.fromkeys(record.words, record.name))
    return record


def find(word: str) -> AttackRecord | None:
    """Return the attack of a name, an alias, a published name or a title, in any case."""
    return ATTACKS.get(_NAMED.get(word.strip().lower(), ""))


def attack_named(word: str) -> AttackRecord:
    """Return the attack of any of its names, see `find`.

    Raises:
        InputError: if there is none.
    """
    if (record := find(word)) is not None:
        return record
    hint = did_you_mean(word, _NAMED)
    raise InputError(f"unknown attack {quoted(word)}; there are {', '.join(ATTACKS)}{hint}")


def by_strength() -> Iterator[AttackRecord]:
    """Yield the attacks that are compared with each other, the weakest first."""
    ranked = [record for record in ATTACKS.values() if record.strength is not None]
    yield from sorted(ranked, key=lambda record: record.strength or 0)


ATTACKS: dict[str, AttackRecord] = {}
_NAMED: dict[str, str] = {}  # all words that stand for an attack → its name
_AUTO_PGD, _FAB = "croce2020reliable", "croce2020minimally"
_SQUARE = "andriushchenko2020square"
_RECORDS = (
    AttackRecord(
        "fgsm", "FGSM", "one signed gradient step", "evaluation.attacks.pgd:FGSM",
        strength=1, epsilons=FGSM_EPSILONS, colour="#0072b2",
        cites=("goodfellow2015explaining",),
    ),
    AttackRecord(
        "pgd", "PGD", "40 signed gradient steps from a random start", "evaluation.attacks.pgd:PGD",
        strength=2, colour="#d55e00", cites=("madry2018towards",),
    ),
    AttackRecord(
        "apgd-ce", "APGD-CE", "Auto-PGD on the cross-entropy, 100 steps",
        "evaluation.attacks.apgd:APGDCE", "aa_apgd-ce", "apgd", strength=3, colour="#cc79a7",
        cites=(_AUTO_PGD,),
    ),
    AttackRecord(
        "square", "Square", "random search along squares, 5,000 queries, no gradients",
        "evaluation.attacks.square:Square", "aa_square", gradients=False, colour="#009e73",
        cites=(_SQUARE,),
    ),
    # Not published, but measured by evaluation.robustness; "aa" is AutoAttack.
    AttackRecord(
        "apgd-dlr", "APGD-DLR", "Auto-PGD on the difference of logits ratio",
        "evaluation.attacks.apgd:APGDDLR", "aa_apgd-dlr", cites=(_AUTO_PGD,),
    ),
    AttackRecord(
        "apgd-t", "APGD-T", "Auto-PGD on the targeted DLR loss, 9 targets",
        "evaluation.attacks.apgd:APGDT", "aa_apgd-t", cites=(_AUTO_PGD,),
    ),
    AttackRecord(
        "fab-t", "FAB-T", "FAB, targeted: the smallest perturbation, 9 targets",
        "evaluation.attacks.fab:FABT", "aa_fab-t", aliases=("fab",), cites=(_FAB,),
    ),
    AttackRecord(
        "autoattack", "AutoAttack", "APGD-CE, APGD-T, FAB-T, Square",
        "evaluation.attacks.ensemble:Standard", "aa_standard", aliases=("aa", "standard"),
        cites=(_AUTO_PGD, _FAB, _SQUARE),
    ),
)  # fmt: skip
for _record in _RECORDS:
    register(_record)
