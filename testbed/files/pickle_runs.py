"""Runs of opcodes that data files consist of, as regular expressions.

What they match are plain objects, and two shapes that files of PyTorch hold by the thousand. One
by one, in Python, opcodes take ten times as long as the loading itself.
"""

import re
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

__all__ = ["RUN", "Runs", "runs", "taken_and_put"]

RUN = 1000  # objects, at most, that are matched as one
Pattern = re.Pattern[bytes]


class Runs(NamedTuple):
    """The patterns for one way of numbering the memo.

    Attributes:
        plain: of a run of numbers and texts; before protocol 4, also of objects of the memo and
            of dictionaries with one key.
        one: of one object of such a run.
        taken: of what comes before the next object of the memo, in such a run, and of the opcode
            that takes it, as a group.
        tensors: of a run of names and tensors; None from protocol 4 on.
        tensor: of a name and a tensor. Each group is an opcode that takes an object out of the
            memo, or that puts a tuple there.
    """

    plain: Pattern
    one: Pattern
    taken: Pattern
    tensors: Pattern | None
    tensor: Pattern | None


def runs(numbered: bool, spent: int) -> Runs:
    """Return the patterns for a pickle.

    Args:
        numbered: whether it numbers its memo itself, as it does before protocol 4.
        spent: how many objects there are so far, or more. A run names no place of the memo far
            above: the memory for all places below it is taken at once.
    """
    bits = spent.bit_length()
    return _runs(min(30, max(20, bits + bits % 2)) if numbered else None)


def taken_and_put(groups: list[tuple[bytes, ...]]) -> tuple[set[bytes], set[bytes]]:
    """Return the opcodes of tensors that take from the memo, and those that put a tuple there."""
    opcodes = set(chain.from_iterable(groups)) - {b""}
    put = {opcode for opcode in opcodes if opcode[:1] in (b"q", b"r")}
    return opcodes - put, put


def _counted(size: int, most: int = 64) -> bytes:
    """Return a pattern of a length of ``size`` bytes, below ``most``, and of as many bytes."""
    return b"(?:" + b"|".join(
        re.escape(n.to_bytes(size, "little")) + (b".{%d}" % n if n else b"") for n in range(most)
    ) + b")"  # fmt: skip


_BRIEF, _WIDE = _counted(1), _counted(4, 128)  # the single file has 15,625 architectures as text
_INTEGER = rb"(?:K.|M..|J.{4})"
_NUMBER = rb"(?:K.|G.{8}|M..|J.{4}|[N\x88\x89])"
_TAKE = b"(?:h.|j.{4})"
_TEXT = b"(?:[\x8cUC]" + _BRIEF + b"|[XB]" + _WIDE + b")"


@lru_cache
def _runs(bits: int | None) -> Runs:
    if bits is None:
        usual, put = rb"\x8c" + _BRIEF, rb"\x94"
        text = b"(?:(?:" + usual + b"|" + _TEXT + b")" + put + b"?)"
        # In front, what curves consist of: a text and a number, or two numbers.
        plain = usual + put + b"G.{8}|K.G.{8}|" + text + b"|" + _NUMBER
        return Runs(_many(plain), _compiled(text + b"|" + _NUMBER), _compiled(b"(?!)"), None, None)
    usual, put = b"X" + _WIDE, _put(bits)
    text = b"(?:(?:" + usual + b"|" + _TEXT + b")" + put + b"?)"
    # {"version": 1}, of each module in a state dict.
    single = rb"\}" + put + b"?(?:" + text + b"|" + _TAKE + b")" + _NUMBER + b"s"
    one = text + b"|" + _NUMBER + b"|" + _TAKE + b"|" + single
    curve = usual + put + b"G.{8}|K.G.{8}|" + _TAKE + b"G.{8}"
    return Runs(
        _many(curve + b"|" + one),
        _compiled(one),
        _compiled(b"(?:" + text + b"|" + _NUMBER + rb"|\}" + put + b"?|s)*(" + _TAKE + rb"|\Z)"),
        _many(_tensor(put, text, b"(?:")),
        _compiled(_tensor(put, text, b"(")),
    )


def _put(bits: int) -> bytes:
    """Return a pattern of what puts an object at a place below 2**bits, in little endian."""
    full, rest = divmod(bits, 8)
    place = b"." * full + b"[\x00-" + re.escape(bytes([2**rest - 1])) + b"]"
    return b"(?:q.|r" + place + rb"\x00" * (3 - full) + b")"


def _tensor(put: bytes, text: bytes, group: bytes) -> bytes:
    """Return a pattern of a name and the call of ``torch._utils._rebuild_tensor_v2``."""
    put_tuple, take = b"(?:" + group + put + b"))?", group + _TAKE + b")"
    sizes = rb"(?:\)|I\x85|II\x86|III\x87|\(I{4,8}t)".replace(b"I", _INTEGER) + put_tuple
    return b"".join(
        (
            b"(?:" + text + b"|" + take + b")",
            take + rb"\(\(" + take + take + text + take + _INTEGER + b"N?t" + put_tuple + b"Q",
            _INTEGER + sizes + sizes + rb"[\x88\x89]",
            take + rb"\)R" + put + b"?",
            b"t" + put_tuple + b"R" + put + b"?",
        )
    )


def _compiled(pattern: bytes) -> Pattern:
    return re.compile(b"(?s:" + pattern + b")")


def _many(pattern: bytes) -> Pattern:
    return _compiled(b"(?:" + pattern + b"){1,%d}" % RUN)
