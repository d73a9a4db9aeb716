"""Items in jobs of a cluster, by submitit: some items a job, some jobs an array.

No process of the toolkit has to be reached from the nodes: all goes through files of one folder.
"""

import math
import os
import pickle
import shutil
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sized
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import submitit
from submitit.core.utils import UncompletedJobError

from testbed.basis import interrupts
from testbed.engine import squeue
from testbed.engine.chunk import PARCEL, Chunk, finished, forget
from testbed.engine.cluster_file import ClusterFile
from testbed.engine.outcome import DIED, EngineError, Outcome, failure
from testbed.engine.parcels import Origin, Parcel
from testbed.engine.queue_watcher import watcher
from testbed.engine.squeue import NAME
from testbed.engine.submission import Submission

__all__ = ["run_in_jobs"]

Item = TypeVar("Item")
Value = TypeVar("Value")
LOOK = {"local": 0.05, "slurm": 1.0}  # seconds between two looks at what has finished
STATE = 30  # seconds, at most, between two questions to the cluster what became of its jobs
SIGNAL = 90  # seconds before its end that a job is told of it


def run_in_jobs(
    function: Callable[[Item], Value], items: Iterable[Item], asked: ClusterFile, threads: int
) -> Generator[tuple[int, Outcome[Value]], None, None]:
    """Yield (position, outcome) of each item, those of a job when it has finished.

    What a job that died had not finished is tried again, each item in a job of its own; one that a
    job dies of again has failed.

    Raises:
        EngineError: if no job can be submitted, or the function cannot be sent.
    """
    parcel = Parcel.of(function, Origin())
    size = asked.tasks
    if isinstance(items, Sized):
        size = max(1, min(size, math.ceil(len(items) / asked.jobs)))
    source = enumerate(items)
    with _folder(asked) as (folder, keep):
        (folder / PARCEL).write_bytes(pickle.dumps(parcel))
        submission = Submission(
            _executor(asked, folder),
            lambda items, owner: Chunk(folder, parcel.word, items, threads, owner),
            asked,
            folder,
        )
        for at_once, last in ((size, False), (1, True)):
            lost: dict[int, Item] = {}
            for chunk, job in _finished(submission, _chunks(source, at_once), asked):
                outcomes = _outcomes(job, asked)
                done = outcomes if isinstance(outcomes, dict) else {}
                if isinstance(outcomes, str):
                    keep.add(str(job.job_id))
                    done = finished(folder, [position for position, _ in chunk])
                for position, item in chunk:
                    if position in done:
                        yield position, pickle.loads(done[position])
                    elif not last:
                        lost[position] = item
                    else:
                        yield position, Outcome(error=str(outcomes), error_type=DIED)
                forget(folder, [position for position, _ in chunk])
            source = iter(sorted(lost.items()))


def _chunks(source: Iterator[tuple[int, Item]], size: int) -> Iterator[list[tuple[int, Item]]]:
    while chunk := list(islice(source, size)):
        yield chunk


def _finished(
    submission: Submission, chunks: Iterator[list[tuple[int, Item]]], asked: ClusterFile
) -> Iterator[tuple[list[tuple[int, Item]], Any]]:
    """Keep so many jobs in the queue or running, and yield each when it is over."""
    pending: list[tuple[list[tuple[int, Item]], Any]] = []
    arrays: set[str] = set()
    try:
        while True:
            free = asked.jobs - len(pending)
            # Not one by one: an array is one request to the cluster.
            if free >= max(1, asked.jobs // 4):
                with interrupts.held():
                    pending += submission.take(chunks, free, bool(pending))
                arrays |= {_array(job) for _, job in pending}
            if not pending and not submission.waiting:
                return
            over = [pair for pair in pending if pair[1].done()]
            for pair in over:
                pending.remove(pair)
                yield pair
            if not over:
                time.sleep(LOOK[asked.cluster])
    finally:
        if pending:
            with interrupts.held():
                _cancel([job for _, job in pending])
        elif asked.cluster == "slurm":
            _cancel_ghosts(arrays)


def _outcomes(job: Any, asked: ClusterFile) -> dict[int, bytes] | str:
    """Return the outcomes of a job's items, or how it died."""
    log = job.paths.stderr
    if asked.cluster == "local" and not job.paths.result_pickle.exists():
        return f"the process that computed it died, twice; its log is {log}"
    try:
        outcomes = job.result()
        with suppress(
            OSError
        ):  # so that it is not computed again if the job goes back to the queue
            job.paths.submitted_pickle.unlink()
        return outcomes
    except UncompletedJobError:
        return f"the job that computed it died ({job.state}), twice; its log is {log}"
    except Exception as error:
        return f"{failure(error).error}; the job's log is {log}"


def _executor(asked: ClusterFile, folder: Path) -> Any:
    try:
        executor = submitit.AutoExecutor(folder, cluster=asked.cluster)
        executor.update_parameters(
            name=NAME, nodes=1, tasks_per_node=1, timeout_min=asked.minutes,
            cpus_per_task=asked.cpus, mem_gb=asked.memory_gb, gpus_per_node=asked.gpus or None,
            slurm_partition=asked.partition, slurm_account=asked.account,
            slurm_setup=list(asked.setup) or None, local_setup=list(asked.setup) or None,
            slurm_additional_parameters=asked.slurm_options() or None,
            slurm_array_parallelism=asked.jobs,
            # Of a job of a minute all time would be before its end.
            slurm_signal_delay_s=min(SIGNAL, 15 * asked.minutes),
        )  # fmt: skip
    except Exception as error:
        raise EngineError(f"submitit cannot be used here: {error}") from error
    if asked.cluster != "local":
        submitit.SlurmJob.watcher = watcher(STATE)
    return executor


@contextmanager
def _folder(asked: ClusterFile) -> Iterator[tuple[Path, set[str]]]:
    """Give a new folder, and a set of jobs that died: if there are any, their logs are kept."""
    folder = (Path(asked.folder) / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}").absolute()
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise EngineError(f"folder: {folder} cannot be made: {error.strerror}") from error
    died: set[str] = set()
    try:
        yield folder, died
    finally:
        if not died:
            shutil.rmtree(folder, ignore_errors=True)


def _array(job: Any) -> str:
    return str(job.job_id).partition("_")[0]


def _cancel_ghosts(arrays: set[str]) -> None:
    """Cancel jobs whose result is there and which go back to the queue: preempted at their end."""
    states = squeue.states() or {}
    listed = {number for number, (state, _) in states.items() if not squeue.is_over(state)}
    squeue.cancel({number for number in listed if number.partition("_")[0] in arrays})


def _cancel(jobs: list[Any]) -> None:
    local = [job for job in jobs if isinstance(job, submitit.LocalJob)]
    squeue.cancel({_array(job) for job in jobs if job not in local})
    for job in local:
        with suppress(OSError):
            job.cancel(check=False)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and not all(job.done() for job in local):
        time.sleep(0.05)
