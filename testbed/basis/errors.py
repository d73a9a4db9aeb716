"""What the toolkit raises where something cannot be used, and what it says then."""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["InputError", "ToolkitError", "did_you_mean"]


class ToolkitError(ValueError):
    """Base of all errors of the toolkit; the message says what was got, expected, and to do.

    A command prints the message of such an error in one line and ends with the exit code 2.
    Any other exception is a fault of the toolkit, and keeps its traceback.
    """


class InputError(ToolkitError):
    """An option of a command, or an argument of a function, that cannot be used."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a suggestion with a space in front, or nothing if no known word is like this one.

    >>> did_you_mean("fsgm", ["fgsm", "pgd"])
    " (did you mean 'fgsm'?)"
    """
    if len(word) > 100:  # no name is so long, and the comparison takes the square of it
        return ""
    lower = {name.lower(): name for name in known}
    close = get_close_matches(word.strip().lower(), lower, n=1)
    return f" (did you mean {lower[close[0]]!r}?)" if close else ""
