"""A part of a long run, where no service may run: ``--shard 3/16``, each with its own store."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from testbed.basis.errors import InputError
from testbed.basis.foreign_text import quoted

__all__ = ["MOST_SHARDS", "Shard"]

Item = TypeVar("Item")
MOST_SHARDS = 100_000


@dataclass(frozen=True)
class Shard:
    """The shard of a number, from 1, among ``count``."""

    number: int = 1
    count: int = 1

    @staticmethod
    def parse(text: str | None) -> "Shard":
        """Read ``3/16``; None is the whole.

        Raises:
            InputError: if it is not of that form, or not one of so many.
        """
        if text is None:
            return Shard()
        parts = text.strip().split("/")
        if len(parts) != 2 or not all(p.isascii() and p.isdecimal() and len(p) < 9 for p in parts):
            raise InputError(f"--shard is K/N, 3/16 for instance; got {quoted(text)}")
        number, count = map(int, parts)
        if not 1 <= number <= count <= MOST_SHARDS:
            raise InputError(
                f"--shard K/N has K from 1 to N, and N up to {MOST_SHARDS:,}; got {quoted(text)}"
            )
        return Shard(number, count)

    def take(self, items: Sequence[Item]) -> list[Item]:
        """Return every N-th item from the K-th on: the shards' items are those of the whole."""
        return list(items[self.number - 1 :: self.count])

    def nothing(self, items: Sequence[Item]) -> str:
        """Return that the shard has none of the items, in words; nothing if it has some."""
        if self.number <= len(items):
            return ""
        return f"Shard {self.number}/{self.count} has no networks: there are {len(items)} in all."

    def beside(self, path: Path) -> Path:
        """Return the name of the shard's own file beside that of the whole."""
        if self.count == 1:
            return path
        number = str(self.number).zfill(len(str(self.count)))
        return path.with_name(f"{path.stem}.{number}-of-{self.count}{path.suffix}")

    def joined(self, path: Path) -> str:
        """Return how the shards' files become that of the whole; nothing of the whole."""
        if self.count == 1:
            return ""
        parts = path.with_name(f"{path.stem}.*-of-{self.count}{path.suffix}")
        join = f"robustness-proxies store merge {parts} --out {path}"
        return f" When all {self.count} shards are done: {join}"
