"""Bounds of what a network is built with: a number in an option must not take all memory."""

from testbed.basis.errors import InputError
from testbed.basis.foreign_text import described

__all__ = ["MOST_CLASSES", "MOST_PARAMETERS", "check_counts"]

MOST_CLASSES = 100_000
MOST_PARAMETERS = 500_000_000  # 2 GB


def check_counts(*counts: tuple[str, int, int]) -> None:
    """Refuse counts that are no whole number of at least 1, or too large to be meant.

    Args:
        counts: what is counted, how many there are, and the most that there may be.

    Raises:
        InputError: naming the first of them.
    """
    for name, value, most in counts:
        if type(value) is not int or not 1 <= value <= most:
            raise InputError(f"a network has from 1 to {most:,} {name}; got {described(value)}")
