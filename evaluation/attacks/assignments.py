"""Settings of attacks as a command takes them: ``--set square.queries=200``."""

import re
from collections.abc import Collection, Sequence
from types import NoneType
from typing import Any, get_args, get_type_hints

from evaluation.attacks.names import attack_named
from evaluation.attacks.registry import settings_of
from testbed.basis.errors import InputError, did_you_mean

__all__ = ["assigned"]

FORM = re.compile(r"([^.=\s]+)\.([^.=\s]+)\s*=\s*(\S+)")
FLAGS = {"true": True, "false": False}


def assigned(words: Sequence[str], attacks: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return by attack the settings that are given as ``attack.setting=value``.

    A value has the type of the field of the attack's class. Whether a value makes sense is
    checked when the attack is made.

    Args:
        words: any name of an attack serves.
        attacks: the names of those that will be run.

    Raises:
        InputError: if a word has another form, an attack or a setting is unknown, an attack is
            none of those that will be run, a value has another type, or a setting has two.
    """
    found: dict[str, dict[str, Any]] = {}
    for word in words:
        match = FORM.fullmatch(word.strip())
        if match is None:
            raise InputError(
                f"a setting is given as attack.setting=value, square.queries=200 for instance; "
                f"got {word!r}"
            )
        name, setting = attack_named(match[1]).name, match[2].replace("-", "_")
        value = _value(name, setting, match[3])
        if name not in attacks:
            there = ", ".join(attacks) or "none"
            raise InputError(f"{word} would be ignored: {name} is none of the attacks ({there})")
        if found.setdefault(name, {}).setdefault(setting, value) != value:
            raise InputError(f"{name}.{setting} is given twice: {found[name][setting]} and {value}")
    return found


def _value(name: str, setting: str, text: str) -> Any:
    known = settings_of(name)
    if setting not in known:
        there = ", ".join(f"{key}={default}" for key, default in known.items()) or "none"
        raise InputError(
            f"{name} has no setting {setting!r}; it has {there}{did_you_mean(setting, known)}"
        )
    hint = get_type_hints(attack_named(name).kind)[setting]
    kinds = get_args(hint) or (hint,)
    if text.lower() == "none" and NoneType in kinds:
        return None
    (kind,) = (kind for kind in kinds if kind is not NoneType)
    try:
        return FLAGS[text.lower()] if kind is bool else kind(text)
    except (ValueError, KeyError):
        what = {int: "a whole number", float: "a number", bool: "true or false"}[kind]
        raise InputError(f"{name}.{setting} is {what}; got {text!r}") from None
