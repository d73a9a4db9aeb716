"""Items on Dask's workers, over TCP: the job reaches each once, and a death costs one retry."""

import os
import pickle
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence, Sized
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, TypeVar

from distributed import Client, WorkerPlugin

from testbed.basis import interrupts
from testbed.engine.dask_clusters import connected
from testbed.engine.devices import VISIBLE, devices_here, visible_to
from testbed.engine.futures import run_on
from testbed.engine.job_keeper import JobKeeper
from testbed.engine.names import Engine
from testbed.engine.outcome import DIED, EngineError, Outcome
from testbed.engine.parcels import Origin, Parcel, Word, forget, receive, work

__all__ = ["run_on_dask"]

Item = TypeVar("Item")
Value = TypeVar("Value")
TRIES = 5  # to send the job
KILLED, GONE = "KilledWorker", ("CancelledError", "FutureCancelledError")
TWICE = Outcome[Any](
    error="the worker that computed it died, and so did the one that tried again: for lack of "
    "memory or time, if it was killed or its job ended, else in native code",
    error_type=DIED,
)


def run_on_dask(
    function: Callable[[Item], Value],
    items: Iterable[Item],
    engine: Engine,
    workers: int,
    threads: int,
    device: str,
) -> Generator[tuple[int, Outcome[Value]], None, None]:
    """Yield (position, outcome) of each item as one of Dask's workers finishes it.

    At most 2 × workers items are under way at a time. Those that were lost with a worker are
    tried again, one at a time, after all others; one that a worker dies of again has failed.

    Raises:
        EngineError: if no worker can be had, or the scheduler is lost.
    """
    parcel = Parcel.of(function, Origin())
    if engine.cluster is not None and isinstance(items, Sized):
        jobs = max(1, min(engine.cluster.jobs, len(items)))
        engine = replace(engine, cluster=replace(engine.cluster, jobs=jobs))
    own = engine.address is None and engine.cluster is None
    devices = devices_here(device, os.environ) if own else ()
    with connected(engine, workers) as (client, count, keeper), _sent(client, parcel, devices):
        executor, source = _Sending(client), enumerate(items)
        for in_flight, last in ((2 * count, False), (1, True)):
            lost: dict[int, Item] = {}
            for position, item, outcome in _pass(
                executor, parcel.word, source, in_flight, threads, keeper
            ):
                if outcome.error_type in GONE:
                    raise EngineError(
                        "Dask's scheduler is lost, and with it the items under way; run the same "
                        "command to go on"
                    )
                if outcome.error_type == KILLED and not last:
                    lost[position] = item
                else:
                    yield position, TWICE if outcome.error_type == KILLED else outcome
            source = iter(sorted(lost.items()))


def _pass(
    executor: Executor, word: Word[Item, Value], source: Iterator[tuple[int, Item]],
    in_flight: int, threads: int, keeper: JobKeeper | None,
) -> Iterator[tuple[int, Item, Outcome[Value]]]:  # fmt: skip
    """Yield position, item and outcome."""
    under_way: dict[int, Item] = {}

    def noted() -> Iterator[tuple[int, Item]]:
        for position, item in source:
            under_way[position] = item
            yield position, item

    look = None if keeper is None else keeper.look
    for position, found in run_on(executor, word, noted(), in_flight, threads, meanwhile=look):
        if keeper is not None:
            keeper.progressed()
        outcome: Any = pickle.loads(found) if isinstance(found, bytes) else found
        yield position, under_way.pop(position), outcome


class _Sending(Executor):
    """Dask's executor, given items that are pickled as for any other process."""

    def __init__(self, client: Client) -> None:
        self._executor = client.get_executor(pure=False)

    def submit(self, fn: Any, /, word: Any, item: Any, threads: int) -> Future[Any]:  # type: ignore[override]
        """Send an item; what Dask would make of a list or a text in it does not matter."""
        try:
            packed = pickle.dumps(item)
        except Exception as error:
            future: Future[Any] = Future()
            future.set_exception(error)
            return future
        return self._executor.submit(work, word, packed, threads)


class _Arrival(WorkerPlugin):
    """Takes a parcel to every worker, and to those that come later."""

    def __init__(self, parcel: Parcel, devices: Sequence[str]) -> None:
        self._parcel, self._devices = parcel, tuple(devices)
        self.name = f"robustness-proxies-{parcel.token}"

    def setup(self, worker: Any) -> None:
        """Note the parcel; pin a worker that was started here to a GPU, before CUDA is asked."""
        device = visible_to(worker.name, self._devices) if isinstance(worker.name, int) else None
        if device is not None:
            os.environ[VISIBLE] = device
        receive(self._parcel.token, lambda: self._parcel)

    def teardown(self, worker: Any) -> None:
        """Let it go: a worker of others goes on without us."""
        forget(self._parcel.token)


def _tell_all(client: Client, plugin: WorkerPlugin) -> None:
    """Register a plugin; that one worker dies while all are told costs no more than a moment."""
    for again in range(TRIES):
        try:
            client.register_plugin(plugin)
            return
        except OSError:  # of a connection; the scheduler tells those that come later
            if again == TRIES - 1:
                raise
            time.sleep(1)


@contextmanager
def _sent(client: Client, parcel: Parcel, devices: Sequence[str]) -> Iterator[None]:
    plugin = _Arrival(parcel, devices)
    try:
        _tell_all(client, plugin)
    except OSError as error:
        raise EngineError(
            f"the job cannot be sent to Dask's workers ({type(error).__name__}: {error}): one "
            "after another was lost meanwhile, or the scheduler is; run the same command to go on"
        ) from error
    except Exception as error:
        raise EngineError(
            f"the job cannot be sent to Dask's workers ({type(error).__name__}: {error}): is "
            "robustness-proxies installed there, in the same version?"
        ) from error
    complete = False
    try:
        yield
        complete = True
    finally:
        # Of an interrupted run the workers are busy, or dead.
        if complete:
            with interrupts.held(), suppress(Exception):
                client.unregister_worker_plugin(plugin.name)
