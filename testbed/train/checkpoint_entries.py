"""What each entry of a checkpoint's JSON is."""

from collections.abc import Callable
from typing import Any

from testbed.basis.ranges import COUNT, FRACTION, SECONDS, Range

__all__ = ["ENTRIES"]


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _whole(value: Any) -> bool:
    return type(value) is int


def _facts(value: Any, **entries: Callable[[Any], bool]) -> bool:
    """Say whether a value is an object with these entries, each of its kind, and perhaps more."""
    return isinstance(value, dict) and all(
        name in value and holds(value[name]) for name, holds in entries.items()
    )


def _each(value: Any, holds: Callable[[Any], bool]) -> bool:
    return isinstance(value, list | tuple) and all(map(holds, value))


def _epoch(value: Any) -> bool:
    return _facts(value, loss=Range("").holds, accuracy=FRACTION.holds)


_IMAGES = {"name": _text, "split": _text, "count": COUNT.holds, "fingerprint": _text}
# What each entry of the JSON is, and how it is told.
ENTRIES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "genotype": ("an architecture string", _text),
    "seed": ("a whole number", _whole),
    "recipe": ("an object", lambda value: _facts(value)),
    "images": (f"an object of {', '.join(_IMAGES)}", lambda value: _facts(value, **_IMAGES)),
    "classes": ("a whole number from 1", lambda value: _whole(value) and value >= 1),
    "in_channels": ("a whole number from 1", lambda value: _whole(value) and value >= 1),
    "mean": ("a list of numbers in [0, 1]", lambda value: _each(value, FRACTION.holds)),
    "std": (
        "a list of positive numbers",
        lambda value: _each(value, lambda one: Range("").holds(one) and one > 0),
    ),
    "history": ("a list of loss and accuracy", lambda value: bool(value) and _each(value, _epoch)),
    "test": (
        f"an object of accuracy, {', '.join(_IMAGES)}",
        lambda value: _facts(value, accuracy=FRACTION.holds, **_IMAGES),
    ),
    "weights_fingerprint": ("a text", _text),
    "provenance": ("an object with seconds", lambda v: _facts(v, seconds=SECONDS.holds)),
}
