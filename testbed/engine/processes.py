"""Worker processes that start clean and never outlive their parent."""

import errno
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import torch

from testbed.basis import interrupts
from testbed.engine.devices import devices_here
from testbed.engine.futures import LostItemsError, run_on
from testbed.engine.outcome import EngineError, Outcome, attempt, died, failure
from testbed.engine.parcels import Parcel
from testbed.engine.starts import Start

__all__ = ["end_pools", "new_pool", "run_in_processes"]

Item = TypeVar("Item")
Value = TypeVar("Value")


def run_in_processes(
    function: Callable[[Item], Value],
    items: Iterable[Item],
    workers: int,
    threads: int,
    device: str = "cpu",
) -> Generator[tuple[int, Outcome[Value]], None, None]:
    """Yield (position, outcome) of each item as one of ``workers`` new processes finishes it.

    Raises:
        EngineError: if the function cannot be sent to another process, or none can be started.
    """
    parcel = Parcel.of(function)
    function, source = parcel.word, enumerate(items)
    start = Start(parcel, devices_here(device, os.environ))
    while True:
        try:
            with _pool(workers, threads, start) as executor:
                # Ended by `_pool`: of a cancelled item a breaking pool makes a traceback.
                yield from run_on(executor, function, source, 2 * workers, threads, cancel=False)
            return
        except LostItemsError as error:
            for position, item in error.lost.items():
                outcome = _alone(function, item, threads, start)
                if outcome is None:
                    raise
                yield position, outcome


def _alone(
    function: Callable[[Item], Value], item: Item, threads: int, start: Start
) -> Outcome[Value] | None:
    """Return the outcome of an item in a process of its own; None if no process lives at all."""
    with _pool(1, threads, start) as executor:
        try:
            executor.submit(os.getpid).result()
        except BrokenExecutor:
            return None
        (process,) = (executor._processes or {}).values()
        try:
            return executor.submit(attempt, function, item, threads).result()
        except BrokenExecutor:
            process.join(5)
            return died(process.exitcode)
        except Exception as error:  # what could not be sent to or fro
            return failure(error)


class _Pool(ProcessPoolExecutor):
    """Processes that a Ctrl-C does not reach while they start."""

    def submit(self, *arguments: Any, **options: Any) -> Future[Any]:
        """Submit work; a process that is started for it inherits that SIGINT is blocked."""
        # Without that it would die of it until `_prepare_worker` ignores it: for some seconds.
        # Here they wait, too: a process that is started and not yet noted would be left behind.
        with interrupts.held(), _interrupts_blocked():
            return super().submit(*arguments, **options)


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def new_pool(workers: int, threads: int, start: Start | None = None) -> ProcessPoolExecutor:
    """Return an executor of processes that start clean; whoever makes it ends it.

    Raises:
        EngineError: if the system gives no semaphores, which its queues need.
    """
    try:
        return _Pool(
            workers,
            # Not fork: it copies locks that torch's threads hold, and the child waits for ever.
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_prepare_worker,
            initargs=(os.getpid(), threads, start),
        )
    except OSError as error:
        if error.errno == errno.EMFILE:
            raise
        raise EngineError(
            f"no worker process can be started ({error.strerror}): their queues need a folder for "
            "semaphores, /dev/shm on Linux, that can be written and is not full; without it there "
            "is --workers 1, without a time limit"
        ) from error


@contextmanager
def _pool(workers: int, threads: int, start: Start | None = None) -> Iterator[ProcessPoolExecutor]:
    executor = new_pool(workers, threads, start)
    complete = False
    try:
        yield executor
        complete = True
    finally:
        with interrupts.held():
            end_pools([executor], complete)


def end_pools(executors: Sequence[ProcessPoolExecutor], complete: bool) -> None:
    """End pools; unless their items are complete, at once, with the processes of all of them."""
    # Shutting down forgets the processes, and waits for items that nobody wants any more.
    processes = [one for pool in executors for one in (pool._processes or {}).values()]
    managers: list[Any] = [pool._executor_manager_thread for pool in executors]
    for pool in executors:
        pool.shutdown(wait=complete)
    if complete:
        return
    _end(processes)
    for manager in managers:
        # Ending with the interpreter, it may close a pipe that is being written to.
        if manager is not None:
            manager.join(5)


def _end(processes: list[Any]) -> None:
    """Terminate processes, and kill those that still live after some seconds."""
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + 5
    # Not join: the executor's thread joins them too, and of two that wait for one child the
    # later gets the answer at once, and wrongly, that it is alive.
    while any(process.is_alive() for process in processes) and time.monotonic() < deadline:
        time.sleep(0.01)
    for process in processes:
        if process.is_alive():
            process.kill()


def _prepare_worker(parent: int, threads: int, arrived: Any) -> None:
    # A Ctrl-C reaches the whole process group; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    if arrived is not None:
        arrived()
    torch.set_num_threads(threads)
    threading.Thread(target=_exit_with, args=(parent,), daemon=True).start()


def _exit_with(parent: int) -> None:
    # A killed parent cannot tell its workers, and they would wait for work for ever.
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
