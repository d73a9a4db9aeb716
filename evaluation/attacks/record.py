"""What is known of an attack before its class is imported, and what its class has to be.

Nothing here imports torch, so that commands, truths and figures can read records at no cost.
"""

import inspect
import math
import re
from dataclasses import MISSING, Field, dataclass, fields
from numbers import Real
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from testbed.basis.errors import InputError
from testbed.basis.foreign_text import described, shown
from testbed.basis.plugins import imported, version_of

if TYPE_CHECKING:
    from evaluation.attacks.base import Attack

__all__ = ["PAPER_EPSILONS", "THOROUGH", "AttackRecord"]

# Jung, Lukasik and Keuper, ICLR 2023, section 3: in units of 1/255.
PAPER_EPSILONS = (0.1, 0.5, 1.0, 2.0, 3.0, 4.0, 8.0)
THOROUGH = 3.0  # the strength from which on an attack is not meant to miss what a blind one finds
OURS = "evaluation.attacks."
KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")  # in files, columns and --set name.setting
TITLE = re.compile(r"[^\W_][\w .+'/-]*")  # what targets can be read from, and mathtext leaves alone
COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
SETTABLE = (int, float, bool, str)
# What else stands in the key of a result: a setting of the name would take its place.
IN_KEYS = (
    "split", "count", "fingerprint", "mode", "attack_seed", "attack_class", "attack_version",
    "backend", "member", "corrupted", "weights", "archive", "channels", "cells", "recipe",
    "trained_on", "network", "init", "seed", "images", "measure", "level",
)  # fmt: skip


@dataclass(frozen=True)
class AttackRecord:
    """One attack: what it is called, where its class is, how it is shown.

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
        strength: its place among the attacks that are compared with each other (FGSM has 1, PGD
            2, APGD-CE 3): one that leaves more images right than one below it is doubted, and
            so is one from 3 on whose images fall to an attack without gradients. None takes no
            part.
        gradients: whether it needs gradients. One that does not tells of masked gradients.
        epsilons: of the published data, in units of 1/255.
        colour: in figures, ``#rrggbb``; any that is free if None.
        cites: its papers, as keys of the report's ``references.bib`` or whole BibTeX entries.

    Raises:
        InputError: if an attribute cannot be used, a name that no file can have for instance.
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
        for name, holds, expected in _RULES:
            value = getattr(self, name)
            if not holds(value):
                raise InputError(
                    f"the record of the attack {described(self.name)} has for {name} "
                    f"{described(value)}; expected {expected}"
                )

    @property
    def kind(self) -> "type[Attack]":
        """Its class, which is imported now.

        Raises:
            InputError: if it cannot be imported, or is no attack with this name.
        """
        module, _, name = self.where.partition(":")
        found = getattr(imported(module, f"the attack {self.name} ({self.where})"), name, None)
        if not self.ours and (fault := _fault(found, self.name)):
            raise InputError(f"the attack {self.name} cannot be used: {self.where} {fault}")
        return found  # type: ignore[return-value]

    @property
    def ours(self) -> bool:
        """Whether it comes with this package."""
        return self.where.startswith(OURS)

    @property
    def origin(self) -> dict[str, str]:
        """Whose attack it is, for the keys of results: nothing for those of this package.

        An attack of others is told by its class, and by the version of the package that it is
        installed with and a digest of its source file, as far as there are such: results of a
        changed attack are other results.
        """
        if self.ours:
            return {}
        return {"attack_class": self.where, "attack_version": version_of(self.kind)}

    @property
    def words(self) -> tuple[str, ...]:
        """Everything it is called, in small letters, each once."""
        words = (self.name, self.column, self.published, self.title, *self.aliases)
        return tuple(dict.fromkeys(word.lower() for word in words))

    def key(self, norm: str) -> str:
        """Return the key of the published layout, ``fgsm@Linf`` for instance."""
        return f"{self.published}@{norm}"


def _is_key(value: object) -> bool:
    return isinstance(value, str) and KEY.fullmatch(value) is not None


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _all(value: object, holds: Any) -> bool:
    return isinstance(value, tuple) and all(map(holds, value))


def _is_title(value: object) -> bool:
    return isinstance(value, str) and TITLE.fullmatch(value) is not None


def _is_place(value: object) -> bool:
    return isinstance(value, str) and all(value.partition(":"))


_KEY_WORDS = "letters, digits, - and _, a letter first"
_TITLE_WORDS = "letters, digits, spaces and .+-/', a letter or digit first"
_RULES = (
    *((name, _is_key, _KEY_WORDS) for name in ("name", "published", "column")),
    ("title", _is_title, _TITLE_WORDS),
    ("summary", lambda value: isinstance(value, str) and value.isprintable(), "a line of text"),
    ("where", _is_place, "its class as module:class"),
    ("aliases", lambda value: _all(value, _is_title), f"a tuple of words: {_TITLE_WORDS}"),
    ("strength", lambda value: value is None or _is_number(value), "a finite number or None"),
    ("gradients", lambda value: isinstance(value, bool), "True or False"),
    (
        "epsilons",
        lambda value: _all(value, _is_number)
        and value and len(set(value)) == len(value) and min(value) >= 0,
        "a tuple of numbers from 0 in units of 1/255, each once",
    ),
    (
        "colour",
        lambda value: value is None or (isinstance(value, str) and COLOUR.fullmatch(value)),
        "#rrggbb or None",
    ),
    ("cites", lambda value: _all(value, lambda one: isinstance(one, str)), "a tuple of texts"),
)  # fmt: skip


def _fault(found: object, name: str) -> str | None:
    """Return why something is no class of an attack of a name, at the end of a sentence."""
    from evaluation.attacks.base import Attack

    if not (isinstance(found, type) and issubclass(found, Attack)):
        what = "is not there" if found is None else f"is {described(found)}"
        return f"{what}; expected a subclass of evaluation.attacks.Attack"
    if (called := getattr(found, "name", None)) != name:
        return f"has the name {described(called)}: give it name: ClassVar[str] = {name!r}"
    if inspect.isabstract(found):
        return f"lacks {', '.join(sorted(found.__abstractmethods__))}"
    undecorated = any(isinstance(value, Field) for value in vars(found).values())
    if undecorated or ("__dataclass_fields__" not in vars(found) and _annotated(found)):
        return "has settings and no @dataclass(frozen=True) in front of the class"
    return _fault_of_settings(found)


def _annotated(found: type) -> bool:
    """Say whether a class itself declares fields, other than class variables."""
    return any("ClassVar" not in str(hint) for hint in inspect.get_annotations(found).values())


def _fault_of_settings(found: "type[Attack]") -> str | None:
    try:
        hints = get_type_hints(found)
    except Exception as error:  # whatever an annotation may be
        return f"has annotations that cannot be read: {shown(str(error))}"
    for entry in fields(found):
        if entry.name in IN_KEYS:
            return f"has a setting {entry.name}, which stands in keys of results: rename it"
        if entry.default is MISSING:
            return f"has a setting {entry.name} without a default"
        hint = hints[entry.name]
        kinds = [kind for kind in get_args(hint) or (hint,) if kind is not NoneType]
        if len(kinds) != 1 or kinds[0] not in SETTABLE:
            return f"has a setting {entry.name} that is no int, float, bool or str, or one or None"
    return None
