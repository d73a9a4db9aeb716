"""Look through a pickle before it is loaded: what it would cost, and whether it can end.

A pickle needs no code to do harm. Nine bytes name a place of the memo that takes gigabytes; a
tuple of tuples of tuples, as a key, is hashed for ever, or until the stack of C overflows; a
million empty dictionaries are a million bytes. None of it is stopped by a table of names.

The opcodes are gone through on a stack of what each object weighs: a tuple what is in it and
one more, all else 1. Runs of plain numbers and texts, most of every data file, are matched as
one by a regular expression. Which object a pickle of protocol 4 takes out of its memo is then
not known, and the heaviest is assumed; what fails for that is looked through one by one.
"""

import mmap
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

__all__ = ["LIMITS", "Limits", "check_pickle"]

Buffer = bytes | memoryview | mmap.mmap


@dataclass(frozen=True)
class Limits:
    """What a pickle may hold.

    Attributes:
        plain: bytes of numbers and short texts; as objects they take up to 20 times as much.
        others: opcodes apart from those; an object takes up to 200 bytes.
    """

    plain: int = 5_000_000
    others: int = 600_000


LIMITS = Limits()
WEIGHT = 256  # of a tuple
TUPLE_KEYS = 1000  # of a dictionary: hashes of tuples can be made to collide
LONG = 8  # bytes of an integer, from which on theirs can, too
LONGS = 1000  # of those, in a pickle
LINE = 256  # bytes of a number or a name in the text protocol
SHORT = 256  # bytes of a text that counts; a longer one takes no more memory than it has bytes
RUN = 1000  # objects that are matched as one


def check_pickle(content: Buffer, start: int = 0, limits: Limits = LIMITS) -> int:
    """Return where the pickle that begins at ``start`` ends, after its STOP.

    Raises:
        ValueError: if it cannot be loaded within the limits, or is no pickle of plain data.
        EOFError: if it is cut short.
    """
    try:
        return _Scan(content, start, limits, quick=True).end()
    except _UnsureError:
        return _Scan(content, start, limits, quick=False).end()


class _UnsureError(Exception):
    """Of a quick look, which only a precise one can settle."""


def _counted(size: int) -> bytes:
    """Return a pattern of a length of ``size`` bytes, below 64, and of as many bytes."""
    return b"(?:" + b"|".join(
        re.escape(n.to_bytes(size, "little")) + (b".{%d}" % n if n else b"") for n in range(64)
    ) + b")"  # fmt: skip


_NUMBERS = rb"K.|G.{8}|M..|J.{4}|[N\x88\x89]"
_BRIEF, _WIDE = _counted(1), _counted(4)


@lru_cache
def _patterns(high: int | None) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    """Return the patterns of a run of plain objects and of one of them, put into the memo or not.

    Args:
        high: the bits of the highest place in the memo that a run may name; None from protocol
            4 on, where it names none.
    """
    if high is None:
        usual, put = rb"\x8c" + _BRIEF, rb"\x94"
    else:
        full, rest = divmod(high, 8)
        place = b"." * full + b"[\x00-" + re.escape(bytes([2**rest - 1])) + b"]"
        place += rb"\x00" * (3 - full)
        usual, put = b"X" + _WIDE, b"(?:q.|r" + place + b")"
    text = usual + put + b"?|(?:[\x8cUC]" + _BRIEF + b"|[XB]" + _WIDE + b")" + put + b"?"
    # In front, what curves consist of: a text and a number, or two numbers.
    run = usual + put + b"G.{8}|K.G.{8}|" + text + b"|" + _NUMBERS
    one = b"(?s:" + text + b"|" + _NUMBERS + b")"
    return re.compile(b"(?s:(?:" + run + b"){1,%d})" % RUN), re.compile(one)


_END = re.compile(b"\n")

# What stands for an object: of a dictionary, list or instance, a counter of its keys that are
# tuples; of a run of plain ones, where it lies; of all else the weight.
_Item = list[int] | tuple[int, int] | int


class _Scan:
    def __init__(self, content: Buffer, start: int, limits: Limits, quick: bool) -> None:
        self.content, self.limits, self.quick = content, limits, quick
        self.at, self.length = start, len(content)
        self.stack: list[_Item] = []
        self.marks: list[int] = []
        self.numbered = True  # the memo, by the pickle; from protocol 4 on as things come
        self.memo: dict[int, _Item] = {}  # without what weighs 1
        self.memoised, self.heaviest = 0, 1
        self.plain = self.others = self.longs = 0

    def end(self) -> int:
        content, most = self.content, self.limits.others
        while True:
            if self.at >= self.length:
                raise EOFError("it is cut short")
            op = content[self.at]
            if self.quick and op in _RUN_STARTS and self._run():
                continue
            self.at += 1
            if op == _STOP:
                self.pop()
                return self.at
            step = _STEPS.get(op)
            if step is None:
                raise ValueError(
                    f"no data file has the opcode {bytes([op])!r}, at byte {self.at - 1:,}"
                )
            self.others += 1
            if self.others > most:
                raise ValueError(f"it has more than {most:,} opcodes of structure")
            step(self)

    def _run(self) -> bool:
        found = self._pattern()[0].match(self.content, self.at)
        if found is None:
            return False
        where = found.span()
        self.stack.append(where)
        self.at = where[1]
        self.spend(where[1] - where[0])
        return True

    def _pattern(self) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
        # Places in the memo are below the number of objects so far, but for a factor of two.
        spent = self.plain + self.others + RUN
        return _patterns(min(31, max(16, spent.bit_length())) if self.numbered else None)

    def spend(self, plain: int) -> None:
        self.plain += plain
        if self.plain > self.limits.plain:
            raise ValueError(f"it has more than {self.limits.plain:,} bytes of plain values")

    def take(self, count: int) -> bytes:
        self.skip(count)
        return bytes(self.content[self.at - count : self.at])

    def skip(self, count: int) -> None:
        if count > self.length - self.at:
            raise EOFError("it is cut short")
        self.at += count

    def line(self, most: int = LINE) -> bytes:
        found = _END.search(self.content, self.at, self.at + most + 1)
        if found is None:
            raise ValueError(f"a line of it has no end within {most:,} bytes")
        line = bytes(self.content[self.at : found.start()])
        self.at = found.end()
        return line

    def refuse(self, complaint: str) -> None:
        # Where the memo is a guess, the complaint may be wrong.
        raise _UnsureError if self.quick and not self.numbered else ValueError(complaint)

    def top(self) -> _Item:
        item = self.pop()
        self.stack.append(item)
        return item

    def pop(self) -> _Item:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise ValueError("it takes more from its stack than it has put there")
        item = self.stack.pop()
        if isinstance(item, tuple):
            self.stack += self._spread(item)
            item = self.stack.pop()
        return item

    def to_mark(self) -> list[_Item]:
        if not self.marks:
            raise ValueError("it goes back to a mark that it has not set")
        mark = self.marks.pop()
        items = self.stack[mark:]
        del self.stack[mark:]
        return items

    def _spread(self, run: tuple[int, int]) -> list[_Item]:
        return [1] * len(self._pattern()[1].findall(self.content, *run))

    def push_tuple(self, items: list[_Item]) -> None:
        weight = 1
        for item in items:
            if isinstance(item, int):
                weight += item
            else:
                weight += len(self._spread(item)) if isinstance(item, tuple) else 1
        if weight > WEIGHT:
            self.refuse(f"it nests tuples that come to more than {WEIGHT} objects")
        self.stack.append(weight)

    def set_items(self, keys: list[_Item]) -> None:
        target = self.top()
        tuples = sum(isinstance(key, int) and key > 1 for key in keys)
        if not isinstance(target, list):
            return self.refuse("it sets items of what is no dictionary")
        target[0] += tuples
        if target[0] > TUPLE_KEYS:
            self.refuse(f"a dictionary of it has more than {TUPLE_KEYS} keys that are tuples")

    def put(self, place: int) -> None:
        if not self.numbered:
            raise ValueError("it numbers a memo that numbers itself")
        if place > 2 * (self.plain + self.others + RUN):
            raise ValueError(f"it puts an object at place {place:,} of its memo")
        self.memo[place] = self.top()

    def memoise(self) -> None:
        if self.numbered:
            raise ValueError("its memo numbers itself, but not from its beginning")
        item = self.top()
        if isinstance(item, int):
            self.heaviest = max(self.heaviest, item)
        if item != 1 and not self.quick:
            self.memo[self.memoised] = item
        self.memoised += 1

    def get(self, place: int) -> None:
        guessed = self.quick and not self.numbered
        self.stack.append(self.heaviest if guessed else self.memo.get(place, 1))


def _number(scan: _Scan, size: int) -> int:
    return int.from_bytes(scan.take(size), "little")


def _protocol(scan: _Scan) -> None:
    if scan.others > 1:
        raise ValueError("it changes its protocol")
    scan.numbered = _number(scan, 1) < 4


def _plain(scan: _Scan, size: int) -> None:
    """Push a number or a constant with ``size`` bytes of its own."""
    scan.skip(size)
    _push_plain(scan, 1 + size)


def _push_plain(scan: _Scan, size: int) -> None:
    scan.others -= 1
    scan.spend(size)
    scan.stack.append(1)


def _text(scan: _Scan, size: int) -> None:
    """Push a text or bytes after a length of ``size`` bytes."""
    length = _number(scan, size)
    scan.skip(length)
    _push_plain(scan, 1 + size + min(length, SHORT))


def _text_line(scan: _Scan) -> None:
    _push_plain(scan, 2 + len(scan.line(scan.limits.plain)))


def _long(scan: _Scan, length: int) -> None:
    scan.longs += length >= LONG
    if scan.longs > LONGS:
        raise ValueError(f"it has more than {LONGS:,} integers of {LONG} bytes or more")
    _push_plain(scan, 2 + length)


def _binary_long(scan: _Scan) -> None:
    length = _number(scan, 1)
    scan.skip(length)
    _long(scan, length)


def _push(scan: _Scan, pops: int, lines: int = 0) -> None:
    """Push an object of any kind in place of ``pops`` others."""
    for _ in range(lines):
        scan.line()
    for _ in range(pops):
        scan.pop()
    scan.stack.append([0])


def _name(scan: _Scan, pops: int = 0, lines: int = 0) -> None:
    _push(scan, pops, lines)
    scan.stack[-1] = 1


def _from_mark(scan: _Scan, lines: int = 0) -> None:
    _push(scan, 0, lines)
    item = scan.stack.pop()
    scan.to_mark()
    scan.stack.append(item)


def _dictionary(scan: _Scan) -> None:
    items = scan.to_mark()
    scan.stack.append([0])
    scan.set_items(items)


def _set_item(scan: _Scan) -> None:
    scan.pop()
    scan.set_items([scan.pop()])


def _small_tuple(scan: _Scan, size: int) -> None:
    scan.push_tuple([scan.pop() for _ in range(size)])


def _line_place(scan: _Scan) -> int:
    digits = scan.line()
    if not digits.isdigit() or len(digits) > 10:
        raise ValueError("a place in its memo is no number")
    return int(digits)


_BY_BYTE: dict[bytes, Callable[[_Scan], object]] = {
    b"\x80": _protocol,
    b"\x95": lambda scan: scan.skip(8),  # the length of a frame, which the loading checks
    # Numbers and texts.
    **dict.fromkeys((b"N", b"\x88", b"\x89"), partial(_plain, size=0)),
    b"K": partial(_plain, size=1),
    b"M": partial(_plain, size=2),
    b"J": partial(_plain, size=4),
    b"G": partial(_plain, size=8),
    b"\x8a": _binary_long,
    **dict.fromkeys((b"I", b"L"), lambda scan: _long(scan, len(scan.line()) // 2)),
    b"F": lambda scan: _push_plain(scan, len(scan.line())),
    **dict.fromkeys((b"\x8c", b"U", b"C"), partial(_text, size=1)),
    **dict.fromkeys((b"T", b"X", b"B"), partial(_text, size=4)),
    **dict.fromkeys((b"\x8d", b"\x8e", b"\x96"), partial(_text, size=8)),
    **dict.fromkeys((b"S", b"V"), _text_line),
    # The stack.
    b"(": lambda scan: scan.marks.append(len(scan.stack)),
    b"0": lambda scan: scan.pop(),
    b"1": lambda scan: scan.to_mark(),
    # Tuples, lists, dictionaries.
    b")": lambda scan: scan.push_tuple([]),
    **{bytes([0x84 + size]): partial(_small_tuple, size=size) for size in (1, 2, 3)},
    b"t": lambda scan: scan.push_tuple(scan.to_mark()),
    **dict.fromkeys((b"]", b"}"), partial(_push, pops=0)),
    b"l": _from_mark,
    b"d": _dictionary,
    b"a": lambda scan: scan.pop(),
    b"e": lambda scan: scan.to_mark(),
    b"s": _set_item,
    b"u": lambda scan: scan.set_items(scan.to_mark()),
    # Names, calls, instances, storages.
    b"c": partial(_name, lines=2),
    b"\x93": partial(_name, pops=2),
    **dict.fromkeys((b"R", b"\x81"), partial(_push, pops=2)),
    b"\x92": partial(_push, pops=3),
    b"i": partial(_from_mark, lines=2),
    b"o": _from_mark,
    b"b": lambda scan: scan.pop(),
    b"Q": partial(_push, pops=1),
    # The memo.
    b"g": lambda scan: scan.get(_line_place(scan)),
    b"h": lambda scan: scan.get(_number(scan, 1)),
    b"j": lambda scan: scan.get(_number(scan, 4)),
    b"p": lambda scan: scan.put(_line_place(scan)),
    b"q": lambda scan: scan.put(_number(scan, 1)),
    b"r": lambda scan: scan.put(_number(scan, 4)),
    b"\x94": lambda scan: scan.memoise(),
}
_STEPS = {op[0]: step for op, step in _BY_BYTE.items()}
_RUN_STARTS = frozenset(b"KGMJN\x88\x89\x8cUCXB")
_STOP = ord(".")
