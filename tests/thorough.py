"""What ``make thorough`` runs and ``make test`` leaves out: the second half of costly families."""

import os
from collections.abc import Sequence
from typing import TypeVar

import pytest

__all__ = ["THOROUGH", "some", "thorough"]

Item = TypeVar("Item")
THOROUGH = bool(os.environ.get("THOROUGH"))
thorough = pytest.mark.skipif(not THOROUGH, reason="a costly one: make thorough runs it")


def some(items: Sequence[Item], count: int) -> list[Item]:
    """Return ``count`` of the items, evenly spread from the first on, or all if thorough."""
    if THOROUGH or count >= len(items):
        return list(items)
    return [items[place * len(items) // count] for place in range(count)]
