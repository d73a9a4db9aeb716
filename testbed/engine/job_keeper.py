"""Jobs of a cluster that are Dask's workers: submitted, and submitted again when they are lost."""

import asyncio
import sys
import time
from typing import Any

from distributed import Status

from testbed.basis import interrupts
from testbed.engine import squeue
from testbed.engine.cluster_file import ClusterFile
from testbed.engine.outcome import EngineError

__all__ = ["JobKeeper"]

GLANCE = 1.0  # seconds, at least, between two looks at which workers are there
STATE = 30.0  # seconds, at most, between two questions to the queue
AWAY = 60.0  # seconds that a worker may be away where no queue is asked
ROUNDS = 4  # jobs lost, with nothing finished between, for each one that was asked for
STILLBORN = 3  # at least, of jobs in turn that end before their worker is there
LATER = 600.0  # seconds to another try, of those that are lost while others go on
WAIT = 3600.0  # seconds without worker and without answer of the cluster
GO_ON = "run the same command to go on"


class JobKeeper:
    """Keeps as many jobs in the queue or running as a file asks for.

    Of a job whose worker is not there SLURM's queue is asked: one that waits, or was sent back to
    the queue, is waited for, and one that is over is submitted again. With PBS that is every job
    whose worker was there and has been away for a minute.

    Args:
        cluster: of dask-jobqueue, without jobs.
        asked: what is asked for.
    """

    def __init__(self, cluster: Any, asked: ClusterFile) -> None:
        self._cluster, self._asked = cluster, asked
        self._last_there: dict[str, float] = {}
        self._lost = self._stillborn = 0
        self._counted: set[str] = set()
        self._told: set[str] = set()
        self._why = ""
        now = time.monotonic()
        self._glanced, self._asked_at, self._changed, self._good = 0.0, now, now, now

    def submit(self) -> None:
        """Submit the jobs.

        Raises:
            EngineError: in the cluster's words, if it takes none of them.
        """
        with interrupts.held():
            self._cluster.sync(self._fill)
        if not self._cluster.workers:
            raise EngineError(f"no jobs can be submitted: {self._why}")
        self._tell_of_fewer()

    def progressed(self) -> None:
        """Note that something was finished: what was lost until now is forgiven."""
        self._lost = 0

    def look(self) -> None:
        """Submit jobs in the place of those that are over; costs nothing if it is called often.

        Raises:
            EngineError: if one job after another is lost and no worker is left, or the cluster
                has not answered for an hour.
        """
        now = time.monotonic()
        if now - self._glanced < GLANCE:
            return
        self._glanced = now
        there = {worker.name for worker in self._workers()}
        if there - self._last_there.keys():
            self._stillborn = 0
        self._last_there |= dict.fromkeys(there, now)
        if there:
            self._good = now
        away = [name for name in self._cluster.workers if name not in there]
        short = len(self._cluster.workers) < self._asked.jobs
        # Often at first, when most goes wrong, then seldom: a queue serves many.
        patience = min(STATE, max(2.0, (now - self._changed) / 2))
        if (away or short) and now - self._asked_at > patience:
            self._ask(away, bool(there))
            self._asked_at = time.monotonic()

    def _ask(self, away: list[str], any_there: bool) -> None:
        over = self._over(away)
        if over is not None:
            new = [name for name in over if name not in self._counted]
            self._counted.update(new)
            self._lost += len(new)
            self._stillborn += sum(name not in self._last_there for name in new)
            trouble = self._trouble(over)
            if trouble and not any_there:
                raise EngineError(f"{trouble}; {GO_ON}")
            if trouble:
                self._tell(f"{trouble}; other jobs go on, and these are tried again later")
            if trouble and time.monotonic() - self._changed < LATER:
                pass
            elif over or len(self._cluster.workers) < self._asked.jobs:
                with interrupts.held():
                    self._cluster.sync(self._fill, over)
                self._tell_of_fewer()
            if self._cluster.workers:
                self._good = time.monotonic()
        idle = time.monotonic() - self._good
        if idle > WAIT:
            raise EngineError(
                f"there has been no job for {idle / 60:.0f} minutes, and none can be submitted: "
                f"{self._why or 'the cluster does not answer'}; {GO_ON}"
            )

    def _over(self, away: list[str]) -> list[str] | None:
        """Return whose jobs are over; None if the cluster does not answer."""
        jobs = self._cluster.workers
        if self._asked.cluster != "slurm":
            now = time.monotonic()
            return [name for name in away if now - self._last_there.get(name, now) > AWAY]
        states = squeue.states()
        if states is None:
            self._tell("the cluster's queue gives no answer: waiting for it")
            return None
        gone = (squeue.GONE, "")
        return [name for name in away if squeue.is_over(states.get(jobs[name].job_id, gone)[0])]

    def _trouble(self, over: list[str]) -> str:
        """Return in words that jobs are lost faster than anything is finished, if they are."""
        if not over:
            return ""
        jobs = self._asked.jobs
        number = self._cluster.workers[over[-1]].job_id
        logs = f"the logs are in {self._asked.folder}, the last one's is of job {number}"
        if self._stillborn >= max(STILLBORN, jobs):
            return (
                f"{self._stillborn} jobs in turn ended before their Dask worker had reached the "
                f"driver at {self._cluster.scheduler_address}: either a node cannot reach that "
                f"address (interface, port), or the worker does not start there (setup); {logs}"
            )
        if self._lost > ROUNDS * (jobs + 1):
            return (
                f"{self._lost} jobs were lost and nothing was finished meanwhile: a task may need "
                f"more than the {self._asked.minutes} minutes or the {self._asked.memory_gb:g} GB "
                f"of a job; {logs}"
            )
        return ""

    async def _fill(self, over: list[str] = []) -> None:  # noqa: B006 - it is only read
        """Let go of jobs that are over, and submit so many that all are there."""
        cluster = self._cluster
        jobs = [cluster.workers.pop(name) for name in over]
        for name in over:
            cluster.worker_spec.pop(name, None)
        await asyncio.gather(*map(_let_go, jobs), return_exceptions=True)
        while len(cluster.worker_spec) < self._asked.jobs:
            cluster.worker_spec.update(cluster.new_worker_spec())
        try:
            await cluster._correct_state()
            self._why = ""
        except Exception as error:
            self._why = _words(error)
        for name, job in list(cluster.workers.items()):
            if job.job_id is None:  # refused
                del cluster.workers[name], cluster.worker_spec[name]
                await _let_go(job)
        self._changed = time.monotonic()

    def _tell_of_fewer(self) -> None:
        have, jobs = len(self._cluster.workers), self._asked.jobs
        if have < jobs and self._why:
            self._tell(f"{have} of {jobs} jobs could be submitted, and the others are tried again")
            self._tell(self._why)

    def _tell(self, line: str) -> None:
        """Say a line on standard error, once."""
        if line not in self._told:
            self._told.add(line)
            print(f"Dask: {line}", file=sys.stderr, flush=True)

    def _workers(self) -> list[Any]:
        for _ in range(9):
            try:
                return list(self._cluster.scheduler.workers.values())
            except RuntimeError:  # it changed meanwhile, in the scheduler's thread
                continue
        return []


async def _let_go(job: Any) -> None:
    await job.close()
    job.status = Status.closed  # which dask-jobqueue forgets, and its cluster looks for at the end


def _words(error: BaseException) -> str:
    """Return what the command of the submission said, in one line."""
    text = str(error)
    return squeue.refusal(text.partition("stderr:\n")[2]) or " ".join(text.split())[:300]
