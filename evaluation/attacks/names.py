"""The table of attacks: one record each, found by any of its names.

Nothing here imports torch, so that commands, truths and figures can read it at no cost. An
attack is added by its class and its record: an entry of ``_RECORDS``, a call of `register`, or
an entry point of an installed package, see `evaluation.attacks.plugins`.
"""

from evaluation.attacks.record import PAPER_EPSILONS, AttackRecord
from testbed.basis.errors import InputError, did_you_mean
from testbed.basis.foreign_text import quoted
from testbed.images.names import CORRUPTIONS, EXTRAS

__all__ = ["ATTACKS", "PAPER_EPSILONS", "AttackRecord", "attack_named", "find", "register"]

FGSM_EPSILONS = (0.1, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 255.0)


def register(record: AttackRecord) -> AttackRecord:
    """Add an attack to the table, for this process, and return its record.

    A record that stands there already stays.

    Raises:
        InputError: if one of its names is another attack's, or that of a corruption or of
            anything else that an accuracy can be of.
    """
    if ATTACKS.get(record.name) == record:
        return record
    for word in record.words:
        if (known := ATTACKS.get(_NAMED.get(_plain(word), ""))) is not None:
            raise InputError(
                f"{word!r} of the attack {record.name} ({record.where}) is a name of "
                f"{known.name} ({known.where}) already: choose another"
            )
        if _plain(word) in _TAKEN:
            raise InputError(
                f"{word!r} of the attack {record.name} ({record.where}) has another meaning in "
                "commands and tables already: choose another"
            )
    ATTACKS[record.name] = record
    _NAMED.update({_plain(word): record.name for word in record.words})
    return record


def find(word: str) -> AttackRecord | None:
    """Return the attack of a name, an alias, a published name or a title, in any case.

    What no attack here is called is looked for among those of installed packages.
    """
    plain = _plain(word)
    if plain not in _NAMED and plain not in _TAKEN:
        from evaluation.attacks.plugins import installed  # which needs this table

        installed()
    return ATTACKS.get(_NAMED.get(plain, ""))


def _plain(word: str) -> str:
    """Return a name as targets are read: no matter the case, and _ as a space."""
    return " ".join(word.lower().replace("_", " ").split())


def attack_named(word: str) -> AttackRecord:
    """Return the attack of any of its names, see `find`.

    Raises:
        InputError: if there is none.
    """
    if (record := find(word)) is not None:
        return record
    hint = did_you_mean(word, [known for record in ATTACKS.values() for known in record.words])
    raise InputError(f"unknown attack {quoted(word)}; there are {', '.join(ATTACKS)}{hint}")


ATTACKS: dict[str, AttackRecord] = {}
_NAMED: dict[str, str] = {}  # all words that stand for an attack, plain → its name
# What else an accuracy can be of, and what stands for several attacks or none.
_TAKEN = frozenset(
    map(
        _plain, ("clean", "all", "none", "original", "paper", "mean adversarial", "mean corruption")
    )
) | frozenset(map(_plain, (*CORRUPTIONS, *EXTRAS)))
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
