"""What each opcode of a pickle does to the stack of weights of `testbed.files.pickle_stack`."""

from collections.abc import Callable
from functools import partial

from testbed.files.pickle_stack import PickleStack

__all__ = ["STEPS"]

LONG = 8  # bytes of an integer, from which on hashes can be made to collide
LONGS = 1000  # of those, in a pickle
SHORT = 256  # bytes of a text that counts; a longer one takes no more memory than it has bytes


def _number(scan: PickleStack, size: int) -> int:
    return int.from_bytes(scan.take(size), "little")


def _protocol(scan: PickleStack) -> None:
    if scan.others > 1:
        raise ValueError("it changes its protocol")
    scan.numbered = _number(scan, 1) < 4


def _plain(scan: PickleStack, size: int) -> None:
    """Push a number or a constant with ``size`` bytes of its own."""
    scan.skip(size)
    _push_plain(scan, 1 + size)


def _push_plain(scan: PickleStack, size: int) -> None:
    scan.others -= 1  # it counts by its bytes
    scan.spend(size)
    scan.stack.append(1)


def _text(scan: PickleStack, size: int) -> None:
    """Push a text or bytes after a length of ``size`` bytes."""
    length = _number(scan, size)
    scan.skip(length)
    _push_plain(scan, 1 + size + min(length, SHORT))


def _text_line(scan: PickleStack) -> None:
    _push_plain(scan, 2 + len(scan.line(scan.limits.plain)))


def _long(scan: PickleStack, length: int) -> None:
    scan.longs += length >= LONG
    if scan.longs > LONGS:
        raise ValueError(f"it has more than {LONGS:,} integers of {LONG} bytes or more")
    _push_plain(scan, 2 + length)


def _binary_long(scan: PickleStack) -> None:
    length = _number(scan, 1)
    scan.skip(length)
    _long(scan, length)


def _push(scan: PickleStack, pops: int, lines: int = 0) -> None:
    """Push an object of any kind in place of ``pops`` others."""
    for _ in range(lines):
        scan.line()
    for _ in range(pops):
        scan.pop()
    scan.stack.append([0])


def _name(scan: PickleStack, pops: int = 0, lines: int = 0) -> None:
    _push(scan, pops, lines)
    scan.stack[-1] = 1


def _from_mark(scan: PickleStack, lines: int = 0) -> None:
    _push(scan, 0, lines)
    item = scan.stack.pop()
    scan.to_mark()
    scan.stack.append(item)


def _dictionary(scan: PickleStack) -> None:
    items = scan.to_mark()
    scan.stack.append([0])
    scan.set_items(items)


def _set_item(scan: PickleStack) -> None:
    scan.pop()
    scan.set_items([scan.pop()])


def _small_tuple(scan: PickleStack, size: int) -> None:
    scan.push_tuple([scan.pop() for _ in range(size)])


def _line_place(scan: PickleStack) -> int:
    digits = scan.line()
    if not digits.isdigit() or len(digits) > 10:
        raise ValueError("a place in its memo is no number")
    return int(digits)


_BY_BYTE: dict[bytes, Callable[[PickleStack], object]] = {
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
    **dict.fromkeys((b"]", b"}"), lambda scan: scan.stack.append([0])),
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
STEPS = {op[0]: step for op, step in _BY_BYTE.items()}
