"""Mappings as JSON text, and text that a database takes."""

import json
import math
import sys
from collections.abc import Mapping
from typing import Any

from testbed.basis.foreign_text import described, quoted
from testbed.files.strict_json import parse_json
from testbed.store.errors import StoreError

__all__ = ["canonical_json", "details_json", "flat", "recanonical", "storable"]


def storable(text: str) -> str:
    """Return the text with what UTF-8 cannot encode (bytes of a file name, say) escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def canonical_json(settings: Mapping[str, Any]) -> str:
    """Return a mapping as JSON that is the same text whenever the mapping is the same.

    Raises:
        StoreError: naming the entry that is no JSON value with finite numbers.
    """
    plain = _plain(settings, "settings")
    # One text for all equal ones: the keys of a run share a few.
    return sys.intern(json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False))


def details_json(details: Mapping[str, Any]) -> str:
    """Return the details of a score as JSON.

    Raises:
        StoreError: if they hold what is neither JSON nor an array.
    """
    try:
        return json.dumps(details, sort_keys=True, separators=(",", ":"), default=_as_list)
    except (TypeError, ValueError) as error:
        raise StoreError(f"details of a score are JSON values and arrays: {error}") from error


def _as_list(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is neither")


def recanonical(text: str) -> str:
    """Return the canonical form of settings that are JSON already.

    Raises:
        StoreError: if they are not.
    """
    settings = parse_json(text, f"settings {quoted(text, 60)}", StoreError)
    if not isinstance(settings, dict):
        raise StoreError(f"settings are a JSON object; got {described(settings)}")
    return canonical_json(settings)


def _plain(value: Any, where: str) -> Any:
    if isinstance(value, Mapping):
        for name in value:
            # json.dumps would turn 1 and "1" into the same name.
            if not isinstance(name, str):
                raise StoreError(f"{where}: names are text; got {described(name)}")
        return {name: _plain(entry, f"{where}.{name}") for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry, f"{where}[{i}]") for i, entry in enumerate(value)]
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise StoreError(f"{where}: expected a JSON value with finite numbers; got {described(value)}")


def flat(facts: Mapping[str, Any], where: str = "") -> dict[str, str]:
    """Return settings by dotted names, as text: numbers and lists as JSON writes them."""
    found: dict[str, str] = {}
    for name, value in facts.items():
        if isinstance(value, dict):
            found |= flat(value, f"{where}{name}.")
        else:
            found[where + name] = value if isinstance(value, str) else json.dumps(value)
    return found
