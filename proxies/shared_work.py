"""Work that several proxies share is done once, and its time is added to each of them."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

__all__ = ["SharedWork"]

T = TypeVar("T")


@dataclass
class _Frame:
    """A piece of work under way: the shared parts it touched, and the time inside them."""

    touched: set[str] = field(default_factory=set)
    nested: float = 0.0


@dataclass(frozen=True)
class _Part:
    value: Any
    seconds: float  # without the parts it needs
    needs: frozenset[str]  # all of them, itself included


class SharedWork:
    """Named pieces of work, each computed at its first use; one may use others."""

    def __init__(self) -> None:
        self._parts: dict[str, _Part] = {}
        self._frames = [_Frame()]

    def get(self, name: str, compute: Callable[[], T]) -> T:
        """Return the part of this name, computing it if it is new."""
        if name not in self._parts:
            value, seconds, needs = self._measure(compute)
            self._parts[name] = _Part(value, seconds, needs | {name})
        part = self._parts[name]
        self._frames[-1].touched |= part.needs
        return part.value

    def has(self, name: str) -> bool:
        """Say whether the part of this name has been computed."""
        return name in self._parts

    def timed(self, function: Callable[[], T]) -> tuple[T, float]:
        """Return a result and its seconds, in which each part that it uses counts once."""
        value, seconds, needs = self._measure(function)
        return value, seconds + sum(self._parts[name].seconds for name in needs)

    def _measure(self, function: Callable[[], T]) -> tuple[T, float, frozenset[str]]:
        frame = _Frame()
        self._frames.append(frame)
        start = time.perf_counter()
        try:
            value = function()
        finally:
            elapsed = time.perf_counter() - start
            self._frames.pop()
            self._frames[-1].nested += elapsed
        return value, elapsed - frame.nested, frozenset(frame.touched)
