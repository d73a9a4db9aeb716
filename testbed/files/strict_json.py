"""JSON of others: read so that nothing in it is taken for something else.

Python's reader keeps the last of two equal keys, reads NaN, which no other reader does, turns
1e999 into an infinity, and fails in ways that no one expects on deep nesting and long integers.
"""

import json
import math
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from testbed.basis.errors import ToolkitError
from testbed.basis.foreign_text import quoted, shown
from testbed.basis.ranges import first_twice

__all__ = ["DEEPEST", "MOST_BYTES", "MOST_OF_DATA", "parse_json", "read_json", "read_text"]

MOST_BYTES = 2**26  # Python's objects take some ten times as many
MOST_OF_DATA = 2**32  # of published tables: confusion matrices of 100 classes take gigabytes
DEEPEST = 50  # levels; no layout has ten, and what goes through it may call itself that often
LONGEST_INTEGER = 300  # characters: a double still holds it
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class _RefusedError(ValueError):
    """Of what is JSON to Python, and here not."""


def read_json(
    path: Path,
    error: Callable[[str], ToolkitError] = ToolkitError,
    *,
    constants: bool = False,
    most: int = MOST_BYTES,
) -> Any:
    """Return what a JSON file holds.

    Args:
        path: of the file.
        error: makes the exception of a message.
        constants: as for `parse_json`.
        most: as for `read_text`.

    Raises:
        ToolkitError: as `read_text` and `parse_json`.
    """
    return parse_json(read_text(path, error, most), str(path), error, constants=constants)


def read_text(
    path: Path, error: Callable[[str], ToolkitError] = ToolkitError, most: int = MOST_BYTES
) -> str:
    """Return the text of a file in UTF-8; a byte-order mark is read over.

    Args:
        path: of the file.
        error: makes the exception of a message.
        most: the largest file that is read, in bytes.

    Raises:
        ToolkitError: the one that ``error`` makes, if the file cannot be read, is larger than
            ``most``, is no regular file or not in UTF-8.
    """
    try:
        facts = Path(path).stat()
        if stat.S_ISREG(facts.st_mode) and facts.st_size <= most:
            return Path(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise error(f"{path} cannot be read: expected UTF-8; {shown(str(fault))}") from fault
    except (OSError, ValueError) as fault:  # the latter of a NUL in the path
        reason = getattr(fault, "strerror", None) or fault
        raise error(f"{path} cannot be read: {shown(str(reason))}") from fault
    if not stat.S_ISREG(facts.st_mode):  # a pipe would be waited for
        raise error(f"{path} cannot be read: expected a file, found something else")
    raise error(f"{path} has {facts.st_size:,} bytes: expected at most {most:,}")


def parse_json(
    text: str,
    what: str,
    error: Callable[[str], ToolkitError] = ToolkitError,
    *,
    constants: bool = False,
) -> Any:
    """Return the value that a JSON text spells.

    Args:
        text: the JSON.
        what: what it is, as the message begins.
        error: makes the exception of a message.
        constants: whether NaN and infinities, which Python writes, are read; whoever allows them
            checks the numbers that he takes.

    Raises:
        ToolkitError: the one that ``error`` makes, if the text is no JSON, has an object with a
            key twice, an integer of more than 300 digits, half a surrogate pair, more
            than `DEEPEST` levels, or a number that is not finite.
    """
    hooks: dict[str, Any] = {} if constants else {"parse_constant": _no_constant}
    hooks |= {"parse_int": _integer, "object_pairs_hook": _object}
    if not constants:
        hooks["parse_float"] = _finite
    try:
        value = json.loads(text, **hooks)
        _check_depth(value)
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except json.JSONDecodeError as fault:
        raise error(
            f"{what} is not JSON, or cut short: {fault.msg} at line {fault.lineno}, column "
            f"{fault.colno} (character {fault.pos} of {len(fault.doc)})"
        ) from fault
    except _RefusedError as fault:
        raise error(f"{what}: {fault}") from fault
    except UnicodeEncodeError as fault:
        raise error(f"{what}: expected text, found half a surrogate pair") from fault
    except RecursionError as fault:
        raise error(f"{what}: {_TOO_DEEP}") from fault
    return value


_TOO_DEEP = f"expected JSON of at most {DEEPEST} levels, found more"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = first_twice(key for key, _ in pairs)
        raise _RefusedError(
            f"expected each key of an object once, found {quoted(str(twice))} twice"
        )
    return found


def _integer(digits: str) -> int:
    if len(digits) <= LONGEST_INTEGER:
        return int(digits)
    raise _RefusedError(
        f"expected integers of at most {LONGEST_INTEGER} digits, found {shown(digits, 24)}"
    )


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise _RefusedError(f"expected finite numbers, found {shown(digits, 24)}")
    return number


def _no_constant(word: str) -> float:
    raise _RefusedError(f"expected finite numbers, found {word}")


def _check_depth(value: Any) -> None:
    level = [[value]]
    for _ in range(DEEPEST + 1):
        level = [
            inner
            for holder in level
            for inner in (holder.values() if type(holder) is dict else holder)
            if type(inner) in (dict, list)
        ]
        if not level:
            return
    raise _RefusedError(_TOO_DEEP)
