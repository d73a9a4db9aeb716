"""A bounded number of items under way at a time on an executor."""

import itertools
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    wait,
)
from typing import Any, TypeVar

from testbed.engine.outcome import EngineError, Outcome, attempt, failure

__all__ = ["LostItemsError", "run_on"]

Item = TypeVar("Item")
Value = TypeVar("Value")
SECOND = 1.0


class LostItemsError(EngineError):
    """A worker died, and the items under way were lost with it.

    Attributes:
        lost: the lost items by their positions.
    """

    def __init__(self, lost: dict[int, Any]) -> None:
        self.lost = dict(sorted(lost.items()))
        super().__init__(
            "a worker process died; items under way that are lost, by position: "
            f"{', '.join(map(str, self.lost)) or 'none'}. Often it was killed for lack of memory: "
            "use fewer workers. If it died at once, the program may lack the line `if __name__ == "
            '"__main__":` around what starts the workers'
        )


def run_on(
    executor: Executor,
    function: Callable[[Item], Value],
    items: Iterator[tuple[int, Item]],
    in_flight: int,
    threads: int,
    cancel: bool = True,
    meanwhile: Callable[[], object] | None = None,
) -> Generator[tuple[int, Outcome[Value]], None, None]:
    """Keep ``in_flight`` of the numbered items under way.

    When it is closed, the items under way are given up: cancelled, unless whoever ends the
    executor sees to it. ``meanwhile`` is called while they are waited for, each second.

    Raises:
        LostItemsError: if the executor breaks; what had finished is yielded before.
    """
    pending: dict[Future[Outcome[Value]], tuple[int, Item]] = {}
    try:
        while True:
            for position, item in itertools.islice(items, in_flight - len(pending)):
                try:
                    future = executor.submit(attempt, function, item, threads)
                except BrokenExecutor as error:
                    future = Future()
                    future.set_exception(error)
                pending[future] = position, item
            if not pending:
                return
            done = _first(pending, meanwhile)
            future = min(done, key=lambda future: pending[future][0])
            if isinstance(_exception(future), BrokenExecutor):
                raise BrokenExecutor
            yield pending.pop(future)[0], _outcome(future)
    except BrokenExecutor as error:
        yield from _survivors(pending)
        raise LostItemsError(dict(pending.values())) from error
    finally:
        if cancel:
            for future in pending:
                future.cancel()


def _first(
    pending: Iterable[Future[Any]], meanwhile: Callable[[], object] | None
) -> set[Future[Any]]:
    """Wait until something is done, and return what is."""
    while True:
        if meanwhile is not None:
            meanwhile()
        done, _ = wait(pending, None if meanwhile is None else SECOND, FIRST_COMPLETED)
        if done:
            return done


def _survivors(
    pending: dict[Future[Outcome[Value]], tuple[int, Item]],
) -> Generator[tuple[int, Outcome[Value]], None, None]:
    """Yield what finished before the executor broke, and remove it from the pending items."""
    done, _ = wait(pending, timeout=10)
    for future in sorted(done, key=lambda future: pending[future][0]):
        if not isinstance(_exception(future), BrokenExecutor):
            yield pending.pop(future)[0], _outcome(future)


def _exception(future: Future[Any]) -> BaseException | None:
    try:
        return future.exception()
    except CancelledError as error:
        return error


def _outcome(future: Future[Outcome[Value]]) -> Outcome[Value]:
    # An exception here is not the function's: its result, or the item, could not be sent.
    error = _exception(future)
    return future.result() if error is None else failure(error)
