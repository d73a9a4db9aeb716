"""Items that are not known in advance, one after the other: each when it is asked for."""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import Generic, TypeVar

from testbed.basis import interrupts
from testbed.engine.mapping import run
from testbed.engine.outcome import Outcome

__all__ = ["OneByOne"]

Item = TypeVar("Item")
Value = TypeVar("Value")


class OneByOne(Generic[Item, Value]):
    """Computes an item at a call; a context manager, which ends the process of a time limit.

    Args:
        function: takes one item, see `run`.
        threads: of torch.
        limit: the seconds that an item may take; None for as long as it likes. With a limit the
            items are computed in one process of their own, which lives on from item to item: it
            is killed when one is late, and one that dies costs no other item anything.
        device: of the computation.
    """

    def __init__(
        self, function: Callable[[Item], Value], threads: int = 1, limit: float | None = None,
        device: str = "cpu",
    ) -> None:  # fmt: skip
        self._asked: deque[Item] = deque()
        self._outcomes: Generator[tuple[int, Outcome[Value]], None, None] = run(
            function, self._items(), threads=threads, limit=limit, device=device
        )

    def _items(self) -> Iterator[Item]:
        # Asked for one item at a time, by one worker, it never runs dry before the end.
        while self._asked:
            yield self._asked.popleft()

    def __call__(self, item: Item) -> Outcome[Value]:
        """Return the outcome of an item.

        Raises:
            EngineError: if there is a limit, and no process can be started.
            KeyboardInterrupt: if the item failed because of a signal.
        """
        self._asked.append(item)
        _, outcome = next(self._outcomes)
        if outcome.error is not None:
            interrupts.check()  # a library may have made an error of it
        return outcome

    def __enter__(self) -> "OneByOne[Item, Value]":
        return self

    def __exit__(self, *error: object) -> None:
        self._outcomes.close()
