"""Dask, or jobs of a cluster: the engines that nothing imports unless they are asked for."""

from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

from testbed.engine.names import Engine
from testbed.engine.outcome import Outcome

__all__ = ["run_far"]

Item = TypeVar("Item")
Value = TypeVar("Value")


def run_far(
    function: Callable[[Item], Value],
    items: Iterable[Item],
    engine: Engine,
    workers: int,
    threads: int,
    device: str,
) -> Generator[tuple[int, Outcome[Value]], None, None]:
    """Yield (position, outcome) of each item as Dask, or a job of a cluster, finishes it.

    Raises:
        EngineError: if no worker can be had, or the function cannot be sent to one.
    """
    if engine.cluster is not None and engine.cluster.by == "submitit":
        from testbed.engine.job_arrays import run_in_jobs

        return run_in_jobs(function, items, engine.cluster, threads)
    from testbed.engine.dask_run import run_on_dask

    return run_on_dask(function, items, engine, workers, threads, device)
