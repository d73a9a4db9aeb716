"""What an attack's settings may be: a rule for each field, checked when one is made."""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, fields
from numbers import Real
from typing import Any

from testbed.basis.errors import InputError

__all__ = ["check", "choice", "count", "flag", "number"]


@dataclass(frozen=True)
class _Rule:
    """What is expected, in words, and whether a value is such."""

    expected: str
    holds: Callable[[Any], bool]


def count(default: int) -> Any:
    """Return a dataclass field for a whole number of at least 1."""
    return _ruled(default, "a whole number of at least 1", _is_count)


def number(default: float | None, largest: float = math.inf) -> Any:
    """Return a dataclass field for a finite number above 0, up to a largest one.

    If the default is None, None is allowed.
    """
    upper = "" if largest == math.inf else f" and at most {largest:g}"

    def holds(value: Any) -> bool:
        if value is None:
            return default is None
        real = isinstance(value, Real) and not isinstance(value, bool)
        return real and 0 < float(value) <= largest and math.isfinite(value)

    return _ruled(default, f"a finite number above 0{upper}", holds)


def flag(default: bool) -> Any:
    """Return a dataclass field for True or False."""
    return _ruled(default, "True or False", lambda value: isinstance(value, bool))


def choice(default: str, among: Collection[str]) -> Any:
    """Return a dataclass field for one of some words."""
    known = lambda value: isinstance(value, str) and value in among  # noqa: E731
    return _ruled(default, f"one of {', '.join(among)}", known)


def check(owner: Any, name: str) -> None:
    """Check the fields of a dataclass that have a rule.

    Args:
        owner: the object whose fields are checked.
        name: what it is called in a message.

    Raises:
        ValueError: if a value breaks its field's rule.
    """
    for entry in fields(owner):
        rule, value = entry.metadata.get("rule"), getattr(owner, entry.name)
        if rule is not None and not rule.holds(value):
            raise InputError(
                f"{name} takes for {entry.name} {rule.expected}, and got {value!r}: give such a "
                f"value, or leave {entry.name} out for {entry.default!r}"
            )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _ruled(default: Any, expected: str, holds: Callable[[Any], bool]) -> Any:
    return field(default=default, metadata={"rule": _Rule(expected, holds)})
