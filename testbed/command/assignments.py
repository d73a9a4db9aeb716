"""Settings as a command takes them: ``--set square.queries=200``."""

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from types import NoneType
from typing import Any, get_args

from testbed.basis.errors import InputError, did_you_mean
from testbed.basis.foreign_text import described, quoted, shown

__all__ = ["Nouns", "assigned"]

FORM = re.compile(r"([^.=\s]+)\.([^.=\s]+)\s*=\s*(\S+)")
FLAGS = {"true": True, "false": False}
KINDS = {int: "a whole number", float: "a finite number", bool: "true or false", str: "a word"}

# What has settings, in the words of messages: one, several, an example.
Nouns = tuple[str, str, str]


def assigned(
    words: Sequence[str],
    running: Collection[str],
    nouns: Nouns,
    named: Callable[[str], str],
    settings: Callable[[str], tuple[Mapping[str, Any], Mapping[str, Any]]],
) -> dict[str, dict[str, Any]]:
    """Return by name the settings that are given as ``name.setting=value``.

    Args:
        words: the settings as they were given.
        running: the names of those that will run.
        nouns: what they are, in the words of messages.
        named: from a word to a name; it raises an `InputError` for an unknown one.
        settings: from a name to the defaults and to the types of its settings.

    Raises:
        InputError: if a word has another form, a name or a setting is unknown, a name is none
            of those that will run, a value has another type, or a setting has two values.
    """
    found: dict[str, dict[str, Any]] = {}
    for word in words:
        match = FORM.fullmatch(word.strip())
        if match is None:
            raise InputError(
                f"a setting is given as {nouns[0]}.setting=value, {nouns[2]} for instance; "
                f"got {quoted(word)}"
            )
        name, setting = named(match[1]), match[2].replace("-", "_")
        value = _value(name, setting, match[3], *settings(name))
        if name not in running:
            there = ", ".join(running) or "none"
            raise InputError(
                f"{shown(word)} would be ignored: {name} is none of the {nouns[1]} ({there})"
            )
        if found.setdefault(name, {}).setdefault(setting, value) != value:
            values = f"{described(found[name][setting])} and {described(value)}"
            raise InputError(f"{name}.{setting} is given twice: {values}")
    return found


def _value(
    name: str, setting: str, text: str, known: Mapping[str, Any], hints: Mapping[str, Any]
) -> Any:
    if setting not in known:
        there = ", ".join(f"{key}={default}" for key, default in known.items()) or "none"
        raise InputError(
            f"{name} has no setting {quoted(setting)}; it has {there}{did_you_mean(setting, known)}"
        )
    kinds = get_args(hints[setting]) or (hints[setting],)
    if text.lower() == "none" and NoneType in kinds:
        return None
    (kind,) = (kind for kind in kinds if kind is not NoneType)
    if kind not in KINDS:
        raise InputError(
            f"{name}.{setting} is a {kind.__name__} ({described(known[setting])}), which no "
            "command takes: set it in Python"
        )
    try:
        value = FLAGS[text.lower()] if kind is bool else kind(text)
        if kind is float and not math.isfinite(value):
            raise ValueError(text)
        return value
    except (ValueError, KeyError):
        raise InputError(f"{name}.{setting} is {KINDS[kind]}; got {quoted(text)}") from None
