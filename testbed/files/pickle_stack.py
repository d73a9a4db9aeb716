"""The stack and the memo of a pickle that is looked through: of each object, what it weighs.

A tuple weighs what is in it and one more, all else 1: what hashing it may come to.
"""

import mmap
import re
from dataclasses import dataclass

from testbed.files.pickle_runs import RUN, Runs, runs

__all__ = ["LIMITS", "Buffer", "Item", "Limits", "PickleStack", "Run", "UnsureError"]

Buffer = bytes | memoryview | mmap.mmap
WEIGHT = 256  # of a tuple
TUPLE_KEYS = 1000  # of a dictionary: hashes of tuples can be made to collide
LINE = 256  # bytes of a number or a name in the text protocol
_END = re.compile(b"\n")


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
Run = tuple[int, int, bool]  # where a run begins and ends, and whether it is of tensors
# What stands for an object: of a dictionary, list or instance, a counter of its keys that are
# tuples; of the objects of a run, the run; of all else the weight.
Item = list[int] | Run | int


class UnsureError(Exception):
    """Of a quick look, which only a precise one can settle."""


class PickleStack:
    """What is known of a pickle up to a place in it.

    Args:
        content: what holds the pickle.
        start: where it begins.
        limits: what it may hold.
        quick: whether runs are matched as one. What they take out of the memo counts as no
            tuple, what a pickle of protocol 4 takes out of it as the heaviest.
    """

    def __init__(self, content: Buffer, start: int, limits: Limits, quick: bool) -> None:
        self.content, self.limits, self.quick = content, limits, quick
        self.at, self.length = start, len(content)
        self.stack: list[Item] = []
        self.marks: list[int] = []
        self.numbered = True  # the memo, by the pickle; from protocol 4 on as things come
        self.memo: dict[int, Item] = {}
        self.tuples: set[int] = set()  # places of the memo where one was put
        self.memoised, self.heaviest = 0, 1
        self.plain = self.others = self.longs = 0

    def runs(self) -> Runs:
        """Return the patterns of runs from here on."""
        return runs(self.numbered, self.plain + self.others + RUN)

    def push_run(self, run: Run) -> None:
        """Go on by a run."""
        start, self.at, tensors = run
        if tensors:
            self.spend_others((self.at - start) // 4)  # more opcodes than there are
        else:
            self.spend(self.at - start)
        self.stack.append(run)

    def spend(self, plain: int) -> None:
        """Count bytes of plain objects."""
        self.plain += plain
        if self.plain > self.limits.plain:
            raise ValueError(f"it has more than {self.limits.plain:,} bytes of plain values")

    def spend_others(self, count: int) -> None:
        """Count opcodes of structure."""
        self.others += count
        if self.others > self.limits.others:
            raise ValueError(f"it has more than {self.limits.others:,} opcodes of structure")

    def take(self, count: int) -> bytes:
        """Return bytes and go on behind them."""
        self.skip(count)
        return bytes(self.content[self.at - count : self.at])

    def skip(self, count: int) -> None:
        """Go on by some bytes."""
        if count > self.length - self.at:
            raise EOFError("it is cut short")
        self.at += count

    def line(self, most: int = LINE) -> bytes:
        """Return the line that begins here, and go on behind it."""
        found = _END.search(self.content, self.at, self.at + most + 1)
        if found is None:
            raise ValueError(f"a line of it has no end within {most:,} bytes")
        line = bytes(self.content[self.at : found.start()])
        self.at = found.end()
        return line

    def refuse(self, complaint: str) -> None:
        """Refuse the pickle, or ask for a precise look."""
        # Where the memo is a guess, the complaint may be wrong.
        raise UnsureError if self.quick else ValueError(complaint)

    def top(self) -> Item:
        """Return the uppermost object."""
        item = self.pop()
        self.stack.append(item)
        return item

    def pop(self) -> Item:
        """Take the uppermost object off, which lies above the last mark."""
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise ValueError("it takes more from its stack than it has put there")
        item = self.stack.pop()
        if isinstance(item, tuple):
            self.stack += self._spread(item)
            item = self.stack.pop()
        return item

    def to_mark(self) -> list[Item]:
        """Take all objects off down to the last mark, and it."""
        if not self.marks:
            raise ValueError("it goes back to a mark that it has not set")
        mark = self.marks.pop()
        items = self.stack[mark:]
        del self.stack[mark:]
        return items

    def _spread(self, run: Run) -> list[Item]:
        patterns, (start, end, tensors) = self.runs(), run
        if tensors and patterns.tensor:
            return [1] * (2 * len(patterns.tensor.findall(self.content, start, end)))
        return [1] * len(patterns.one.findall(self.content, start, end))

    def push_tuple(self, items: list[Item]) -> None:
        """Put a tuple of objects on."""
        weight = 1
        for item in items:
            if isinstance(item, int):
                weight += item
            else:
                weight += len(self._spread(item)) if isinstance(item, tuple) else 1
        if weight > WEIGHT:
            self.refuse(f"it nests tuples that come to more than {WEIGHT} objects")
        self.stack.append(weight)

    def set_items(self, keys: list[Item]) -> None:
        """Set items, with keys among these objects, of the uppermost one."""
        target = self.top()
        tuples = sum(isinstance(key, int) and key > 1 for key in keys)
        if not isinstance(target, list):
            return self.refuse("it sets items of what is no dictionary")
        target[0] += tuples
        if target[0] > TUPLE_KEYS:
            self.refuse(f"a dictionary of it has more than {TUPLE_KEYS} keys that are tuples")

    def put(self, place: int) -> None:
        """Put the uppermost object at a place of the memo."""
        if not self.numbered:
            raise ValueError("it numbers a memo that numbers itself")
        if place > 2 * (self.plain + self.others + RUN):
            raise ValueError(f"it puts an object at place {place:,} of its memo")
        self.memo[place] = item = self.top()
        if isinstance(item, int) and item > 1:
            self.tuples.add(place)

    def memoise(self) -> None:
        """Put the uppermost object at the next place of the memo."""
        if self.numbered:
            raise ValueError("its memo numbers itself, but not from its beginning")
        item = self.top()
        if isinstance(item, int):
            self.heaviest = max(self.heaviest, item)
        if item != 1 and not self.quick:
            self.memo[self.memoised] = item
        self.memoised += 1

    def get(self, place: int) -> None:
        """Put what lies at a place of the memo on."""
        guessed = self.quick and not self.numbered
        self.stack.append(self.heaviest if guessed else self.memo.get(place, 1))
