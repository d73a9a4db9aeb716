"""What a file or a caller says, as a message may show it: cleaned, and cut."""

from typing import Any

__all__ = ["LIMIT", "described", "quoted", "shown"]

LIMIT = 200
_MOST = 4  # entries of a list or an object that are shown
_DEEPEST = 2


def shown(text: str, limit: int = LIMIT) -> str:
    r"""Return text without what a terminal would obey, at most ``limit`` characters of it.

    Characters that are not printable (control characters, line ends, NUL, marks that turn the
    direction round, halves of surrogate pairs) are escaped as Python escapes them.

    >>> shown("a\n\x1b[31mb")
    'a\\n\\x1b[31mb'
    """
    return _cut(_cleaned(text[: limit + 1]), text, limit)


def quoted(text: str, limit: int = LIMIT) -> str:
    """Return text as `shown` does, in quotation marks."""
    whole = repr(text[: limit + 1])
    return f"{whole[0]}{_cut(whole[1:-1], text, limit, end=whole[0])}"


def described(value: Any, limit: int = 60) -> str:
    """Return a short description of any value that was not expected.

    Numbers and texts are shown, of lists and objects the first entries, of all else the type:
    what a foreign object says of itself is not asked for.
    """
    if isinstance(value, dict):
        names = [_entry(key, 1, limit) for _, key in zip(range(_MOST), value, strict=False)]
        more = ", …" if len(value) > _MOST else ""
        return f"the keys {', '.join(names)}{more}" if value else "no keys"
    return _entry(value, 0, limit)


def _entry(value: Any, depth: int, limit: int) -> str:
    if value is None or type(value) in (bool, float):
        return repr(value)
    if type(value) is int:
        # Python refuses to write an integer of more than 4,300 digits.
        bits = value.bit_length()
        return repr(value) if bits < 200 else f"an integer of {bits:,} bits"
    if type(value) is str:
        return quoted(value, limit)
    if type(value) in (list, tuple) and depth < _DEEPEST:
        entries = ", ".join(_entry(one, depth + 1, limit) for one in value[:_MOST])
        inside = f"{entries}{', …' if len(value) > _MOST else ''}"
        return f"[{inside}]" if type(value) is list else f"({inside})"
    # Not the class's own __name__ only: a foreign class may be called anything.
    return f"a {shown(type(value).__name__, limit)}"


def _cut(cleaned: str, text: str, limit: int, end: str = "") -> str:
    if len(cleaned) <= limit and len(text) <= limit:
        return f"{cleaned}{end}"
    return f"{cleaned[:limit]}…{end} ({len(text):,} characters)"


def _cleaned(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
