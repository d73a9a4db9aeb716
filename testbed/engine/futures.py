"""A bounded number of items under way on an executor."""

import itertools
from collections.abc import Callable, Generator, Iterable
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

__all__ = ["run_on"]

Item = TypeVar("Item")
Value = TypeVar("Value")


def run_on(
    executor: Executor,
    function: Callable[[Item], Value],
    items: Iterable[Item],
    in_flight: int,
    threads: int,
) -> Generator[tuple[int, Outcome[Value]], None, None]:
    """Keep ``in_flight`` items under way; give up the rest when closed."""
    pending: dict[Future[Outcome[Value]], int] = {}
    source = enumerate(items)
    try:
        while True:
            for position, item in itertools.islice(source, in_flight - len(pending)):
                pending[executor.submit(attempt, function, item, threads)] = position
            if not pending:
                return
            done, _ = wait(pending, return_when=FIRST_COMPLETED)
            future = min(done, key=pending.__getitem__)
            if isinstance(_exception(future), BrokenExecutor):
                raise BrokenExecutor
            yield pending.pop(future), _outcome(future)
    except BrokenExecutor as error:
        yield from _survivors(pending)
        raise EngineError(_died(pending)) from error
    finally:
        for future in pending:
            future.cancel()


def _survivors(
    pending: dict[Future[Outcome[Value]], int],
) -> Generator[tuple[int, Outcome[Value]], None, None]:
    """Yield, and take out, what finished before the executor broke."""
    done, _ = wait(pending, timeout=10)
    for future in sorted(done, key=pending.__getitem__):
        if not isinstance(_exception(future), BrokenExecutor):
            yield pending.pop(future), _outcome(future)


def _exception(future: Future[Any]) -> BaseException | None:
    try:
        return future.exception()
    except CancelledError as error:
        return error


def _outcome(future: Future[Outcome[Value]]) -> Outcome[Value]:
    # An exception here is not the function's: its result, or the item, could not be sent.
    error = _exception(future)
    return future.result() if error is None else failure(error)


def _died(pending: dict[Future[Any], int]) -> str:
    lost = ", ".join(map(str, sorted(pending.values()))) or "none"
    return (
        f"a worker process died; items under way that are lost, by position: {lost}. "
        "Often it was killed for lack of memory: use fewer workers. If it died at once, the "
        'program may lack the line `if __name__ == "__main__":` around what starts the workers'
    )
