"""Worker processes that are ended when an item takes too long; each has one item at a time.

Each worker is a pool of one process, not one of many: so it is known whose process is late, and
its end costs no other item anything.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, ProcessPoolExecutor, wait
from typing import Any, Generic, TypeVar

from testbed.basis import interrupts
from testbed.engine.devices import devices_here
from testbed.engine.futures import LostItemsError
from testbed.engine.open_files import make_room
from testbed.engine.outcome import LATE, Outcome, attempt, died, failure
from testbed.engine.parcels import Parcel, Word
from testbed.engine.processes import end_pools, new_pool
from testbed.engine.starts import Start

__all__ = ["run_limited"]

FILES = 8  # that a worker with a pool of its own takes of this process
LONGEST_WAIT = 3600.0  # seconds, to look again
STILLBORN = 1  # of them killed from outside perhaps; the next one says that none can live

Item = TypeVar("Item")
Value = TypeVar("Value")


def run_limited(
    function: Callable[[Item], Value], items: Iterable[Item], workers: int, threads: int,
    seconds: float, device: str = "cpu",
) -> Generator[tuple[int, Outcome[Value]], None, None]:  # fmt: skip
    """Yield (position, outcome) of each item as one of ``workers`` new processes finishes it.

    An item that takes longer than ``seconds`` has failed: its process is killed. One whose process
    dies is tried once more; a process that dies while it starts costs no item anything.

    Raises:
        EngineError: if the function cannot be sent to another process, or none can be started.
    """
    make_room(workers, FILES, "a time limit")
    parcel = Parcel.of(function)
    start = Start(parcel, devices_here(device, os.environ))
    crew: _Crew[Item, Value] = _Crew(parcel.word, start, items, threads, seconds)
    complete = False
    try:
        while crew.hand_out(workers):
            yield from crew.arrived()
        complete = True
    finally:
        crew.end(complete)


class _Worker:
    """A process that starts, has an item until a deadline, or waits for one."""

    def __init__(self, function: Word[Any, Any], start: Start, threads: int) -> None:
        self.executor: ProcessPoolExecutor = new_pool(1, threads, start)
        # Not a part of any item's time: the start of the process, and the imports of the function.
        self.future: Future[Any] = self.executor.submit(_ready, function)
        (self.process,) = (self.executor._processes or {}).values()
        self.entry: tuple[int, Any] | None = None
        self.deadline: float | None = None
        self.late = False

    def begin(self, function: Word[Any, Any], threads: int, seconds: float) -> None:
        """Send the entry to the process."""
        assert self.entry is not None
        self.deadline = time.monotonic() + seconds
        try:
            self.future = self.executor.submit(attempt, function, self.entry[1], threads)
        except BrokenExecutor as error:  # it died between two items
            self.future = Future()
            self.future.set_exception(error)

    def kill_if_late(self, now: float) -> None:
        """Kill the process if the deadline is past."""
        if self.deadline is not None and self.deadline <= now:
            self.late, self.deadline = True, None
            self.process.kill()


def _patience(deadlines: Sequence[float], now: float) -> float | None:
    """Return how long to wait for something to happen; None if nothing will be late."""
    # No longer than a lock can be told to wait: a limit may be of any size.
    return min(max(0.0, min(deadlines) - now), LONGEST_WAIT) if deadlines else None


def _ready(function: Word[Any, Any]) -> int:
    function.unpack()
    return os.getpid()


class _Crew(Generic[Item, Value]):
    """The workers, and the items that are not finished."""

    def __init__(
        self, function: Word[Item, Value], start: Start, items: Iterable[Item], threads: int,
        seconds: float,
    ) -> None:  # fmt: skip
        self._function, self._start = function, start
        self._threads, self._seconds = threads, seconds
        self._source = enumerate(items)
        self._again: deque[tuple[int, Item]] = deque()
        self._died_once: set[int] = set()
        self._workers: list[_Worker] = []
        self._stillborn = 0  # processes, one after another, that died while they started

    def hand_out(self, most: int) -> bool:
        """Give every worker an item, and start workers for more; say whether any has one."""
        idle = [one for one in self._workers if one.entry is None]
        while idle or len(self._workers) < most:
            entry = self._again.popleft() if self._again else next(self._source, None)
            if entry is None:
                break
            if idle:
                worker = idle.pop()
                worker.entry = entry
                worker.begin(self._function, self._threads, self._seconds)
            else:
                with interrupts.held():  # a process that is not noted would be left behind
                    worker = _Worker(self._function, self._start, self._threads)
                    worker.entry = entry
                    self._workers.append(worker)
        return any(one.entry is not None for one in self._workers)

    def arrived(self) -> Iterator[tuple[int, Outcome[Value]]]:
        """Wait until something happens, and yield what has finished by then.

        Raises:
            LostItemsError: if no process can be started.
        """
        busy = [one for one in self._workers if one.entry is not None]
        deadlines = [one.deadline for one in busy if one.deadline is not None]
        patience = _patience(deadlines, time.monotonic())
        done, _ = wait([one.future for one in busy], patience, FIRST_COMPLETED)
        now = time.monotonic()
        for worker in busy:
            if worker.future not in done:
                worker.kill_if_late(now)
            elif worker.deadline is None and not worker.late:
                self._begin_first(worker)
            else:
                yield from self._finished(worker)

    def _begin_first(self, worker: _Worker) -> None:
        """Send a worker that has started its entry; one that died instead is started anew."""
        assert worker.entry is not None
        if not isinstance(worker.future.exception(), BrokenExecutor):
            self._stillborn = 0
            worker.begin(self._function, self._threads, self._seconds)
            return
        self._stillborn += 1
        if self._stillborn > STILLBORN:
            entries = (one.entry for one in self._workers)
            raise LostItemsError(dict(entry for entry in entries if entry is not None))
        self._workers.remove(worker)
        worker.executor.shutdown()
        self._again.append(worker.entry)

    def _finished(self, worker: _Worker) -> Iterator[tuple[int, Outcome[Value]]]:
        entry, worker.entry, worker.deadline = worker.entry, None, None
        assert entry is not None
        position, error = entry[0], worker.future.exception()
        if worker.late or isinstance(error, BrokenExecutor):
            self._workers.remove(worker)
            worker.executor.shutdown()
        if error is None:
            yield position, worker.future.result()
        elif worker.late:
            said = f"it took longer than the limit of {self._seconds:g} seconds"
            yield position, Outcome(error=said, error_type=LATE)
        elif not isinstance(error, BrokenExecutor):  # what could not be sent to or fro
            yield position, failure(error)
        elif position in self._died_once:
            yield position, died(worker.process.exitcode)
        else:
            self._died_once.add(position)
            self._again.append(entry)

    def end(self, complete: bool) -> None:
        """End all processes, at once if not complete."""
        with interrupts.held():
            end_pools([worker.executor for worker in self._workers], complete)
