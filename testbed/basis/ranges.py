"""Which numbers can be an accuracy, an ε, a count, a number of seconds: for every source alike."""

import sys
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

__all__ = ["COUNT", "EPSILON", "FRACTION", "PERCENT", "SECONDS", "Range", "first_twice"]

Value = TypeVar("Value", bound=Hashable)


@dataclass(frozen=True)
class Range:
    """The numbers from ``least`` to ``most``: no NaN, no infinity, no True or False.

    Attributes:
        words: what such a number is, as a message says it after "expected".
        least: the smallest one.
        most: the largest one.
        whole: whether it is a whole number.
    """

    words: str
    least: float = 0.0
    most: float = sys.float_info.max
    whole: bool = False

    def holds(self, value: Any) -> bool:
        """Say whether a value, of whichever type, is such a number."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if self.whole and not isinstance(value, int):
            return False
        return self.least <= value <= self.most


FRACTION = Range("an accuracy in [0, 1]", most=1)
PERCENT = Range("an accuracy in %, from 0 to 100", most=100)
EPSILON = Range("an ε in units of 1/255, a number from 0")
COUNT = Range("a whole number from 0", most=2**63 - 1, whole=True)
SECONDS = Range("seconds, a number from 0")


def first_twice(values: Iterable[Value]) -> Value | None:
    """Return the first value that was there before; None if each is there once.

    >>> first_twice([1.0, 2.0, 1.0])
    1.0
    """
    seen: set[Value] = set()
    for value in values:
        if value in seen:
            return value
        seen.add(value)
    return None
