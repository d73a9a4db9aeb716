"""One function for every way to work through items."""

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor
from typing import TypeVar

from testbed.basis.errors import InputError
from testbed.engine.futures import run_on
from testbed.engine.limited import run_limited
from testbed.engine.names import Engine
from testbed.engine.outcome import Outcome, attempt
from testbed.engine.processes import run_in_processes

__all__ = ["run"]

Item = TypeVar("Item")
Value = TypeVar("Value")


def run(
    function: Callable[[Item], Value],
    items: Iterable[Item],
    workers: int = 1,
    threads: int = 1,
    executor: Executor | None = None,
    engine: Engine | None = None,
    device: str = "cpu",
    limit: float | None = None,
) -> Generator[tuple[int, Outcome[Value]], None, None]:
    """Yield (position, outcome) of each item as it finishes.

    With one worker the items are computed in this process, in order, each when it is asked
    for. With more, or on an executor, at most 2 × workers items are under way at a time.
    Closing the iterator (as an interrupt does) stops the workers and gives up those items;
    where the loop's body can be interrupted, write
    ``with contextlib.closing(run(...)) as outcomes``.

    Args:
        function: takes one item; it must be importable by name if there are several workers.
        items: any number of items; they are taken from the iterable as needed.
        workers: the number of processes, or of the workers of ``executor``.
        threads: the number of torch's threads for each item. The last bits of a convolution
            may depend on it, so the same number should be used for all of a study.
        executor: computes the items instead of processes of this machine, for instance Dask's
            ``client.get_executor()``; it is left open.
        engine: who computes, of those that the toolkit starts itself; see there.
        device: of the computation. Workers of this machine get a GPU each in turn where it is
            ``cuda`` and there are several.
        limit: the seconds that an item may take; None for as long as it likes. One that takes
            longer has failed, and its process is killed: so there is one even for one worker.

    A process that dies costs no other item anything: what was under way with it is tried again,
    each item in a process of its own, and one that kills that too has failed.

    Raises:
        EngineError: if ``executor`` breaks (what had finished is yielded before), if no process
            can be started, or if the function cannot be sent to one.
    """
    if workers < 1 or threads < 1:
        raise InputError(f"expected at least 1 worker and 1 thread; got {workers} and {threads}")
    if limit is not None and not 0 < limit < float("inf"):
        raise InputError(f"a time limit is a number of seconds, above 0; got {limit}")
    if limit is not None and executor is not None:
        raise InputError("a time limit ends processes of this machine; an executor has its own")
    if limit is not None and engine is not None and engine.elsewhere:
        raise InputError(
            "a time limit ends processes of this machine: leave --engine out, or take "
            "--engine processes; a cluster's own limit ends its jobs"
        )
    if limit is not None:
        return run_limited(function, items, workers, threads, limit, device)
    if executor is not None:
        return run_on(executor, function, enumerate(items), 2 * workers, threads)
    kind = (engine.kind if engine else None) or ("processes" if workers > 1 else "serial")
    if kind == "processes":
        return run_in_processes(function, items, workers, threads, device)
    if engine is not None and kind != "serial":
        from testbed.engine.far import run_far

        return run_far(function, items, engine, workers, threads, device)
    return ((i, attempt(function, item, threads)) for i, item in enumerate(items))
