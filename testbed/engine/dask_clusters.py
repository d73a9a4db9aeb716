"""Where Dask's workers come from: started here, started by others, or jobs of a cluster."""

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dask.config
from distributed import Client, LocalCluster

from testbed.basis import interrupts
from testbed.engine.cluster_file import ClusterFile
from testbed.engine.job_keeper import JobKeeper
from testbed.engine.names import Engine
from testbed.engine.open_files import make_room
from testbed.engine.outcome import EngineError
from testbed.engine.squeue import NAME

__all__ = ["connected"]

CONNECT = "10s"
FILES = 10  # that a worker takes of this process: connections, and of one started here, pipes
STARTS = 3  # of workers here
FIRST_WORKER = 60  # seconds to wait for one at a scheduler of others
# Before any worker starts. Its own choice of threads would change the last bits of a score.
SETTINGS: dict[str, Any] = {
    "distributed.nanny.pre-spawn-environ": {},
    "distributed.comm.timeouts.connect": "30s",
    "distributed.worker.daemon": True,
    # Dask would cancel a job that goes back to the queue; the keeper says which are over.
    "distributed.deploy.lost-worker-timeout": "3650 days",
}


@contextmanager
def connected(engine: Engine, workers: int) -> Iterator[tuple[Client, int, JobKeeper | None]]:
    """Give a client, how many items may be computed at a time, and who keeps jobs of a cluster.

    What is started here is ended with the block; if that ends by an exception, at once.

    Raises:
        EngineError: if there is no scheduler at the address, or no worker.
    """
    if engine.address is not None:
        with _client(engine.address) as client:
            count = _workers_there(client, engine.address)
            _announce(client, f"{count} workers at {engine.address}")
            yield client, count, None
        return
    asked = engine.cluster
    make_room(asked.jobs if asked else workers, FILES, "Dask")
    # A worker that is lost here is an item's fault; the jobs of a cluster are taken away too.
    lost = {"distributed.scheduler.allowed-failures": 2 if asked else 0}
    with (
        dask.config.set(SETTINGS | lost),
        _cluster(asked, workers) as (cluster, keeper),
        _client(cluster) as client,
    ):
        count = asked.jobs if asked else workers
        what = f"up to {count} jobs of {asked.cluster}" if asked else f"{count} workers"
        _announce(client, f"{what} at {cluster.scheduler_address}")
        try:
            yield client, count, keeper
        except BaseException:
            with interrupts.held():
                _fall_silent()
                if asked is None:
                    _kill(cluster)
            raise


@contextmanager
def _cluster(asked: ClusterFile | None, workers: int) -> Iterator[tuple[Any, JobKeeper | None]]:
    cluster = keeper = None
    try:
        for last in (*[False] * (STARTS - 1), True):
            try:
                with interrupts.held():
                    cluster = _local(workers) if asked is None else _without_jobs(asked)
                break
            except EngineError:
                # One worker that dies while it starts takes all of a LocalCluster with it.
                if last or asked is not None:
                    raise
        if asked is not None:
            keeper = JobKeeper(cluster, asked)
            keeper.submit()
        yield cluster, keeper
    finally:
        if cluster is not None:
            with interrupts.held(), contextlib.suppress(Exception):
                cluster.close(timeout=10)


def _local(workers: int) -> LocalCluster:
    try:
        return LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, protocol="tcp://",
            host="127.0.0.1", dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL,
            # Else a worker pauses at 80 % of a share of the memory, and is killed at 95.
            memory_limit=0,
        )  # fmt: skip
    except Exception as error:
        raise EngineError(f"Dask's workers cannot be started: {_line(error)}") from error


def _without_jobs(asked: ClusterFile) -> Any:
    try:
        return _kind(asked.cluster)(**_job_options(asked))
    except Exception as error:
        raise EngineError(f"no jobs can be submitted: {_line(error)}") from error


def _kind(cluster: str) -> Any:
    before = signal.getsignal(signal.SIGINT)
    try:
        from dask_jobqueue.pbs import PBSCluster
        from dask_jobqueue.slurm import SLURMCluster
    finally:
        # Imported, dask-jobqueue lets a Ctrl-C end the program at once, with the exit code 0.
        if signal.getsignal(signal.SIGINT) is not before:
            signal.signal(signal.SIGINT, before)
    return {"slurm": SLURMCluster, "pbs": PBSCluster}[cluster]


def _job_options(asked: ClusterFile) -> dict[str, Any]:
    """Return what dask-jobqueue calls what a file asks for."""
    directives = list(asked.directives)
    if asked.gpus and asked.cluster == "slurm":
        directives.append(f"--gres=gpu:{asked.gpus}")
    resources = f"select=1:ncpus={asked.cpus}:mem={asked.memory_gb:g}gb"
    specific = {"job_cpu": asked.cpus}
    if asked.cluster == "pbs":
        gpus = f":ngpus={asked.gpus}" if asked.gpus else ""
        specific = {"resource_spec": f"{resources.removeprefix('select=')}{gpus}"}
    hours, minutes = divmod(asked.minutes, 60)
    return {
        # One worker of one thread a job, which may use all of the job's cores.
        "cores": 1, "processes": 1, "memory": f"{asked.memory_gb:g}GB", "job_name": NAME,
        "queue": asked.partition, "account": asked.account,
        "walltime": f"{hours:02}:{minutes:02}:00",
        "job_extra_directives": directives, "job_script_prologue": list(asked.setup),
        "log_directory": asked.folder, "interface": asked.interface,
        "scheduler_options": {"port": asked.port, "dashboard_address": ":0"},
        "worker_extra_args": ["--no-dashboard"], "python": sys.executable, **specific,
    }  # fmt: skip


@contextmanager
def _client(where: Any) -> Iterator[Client]:
    client = None
    try:
        with interrupts.held():
            try:
                client = Client(where, timeout=CONNECT, set_as_default=False)
            except (OSError, TimeoutError) as error:
                raise EngineError(
                    f"no scheduler of Dask answers at {where} ({_line(error)}): start one by "
                    "`dask scheduler`, and workers by `dask worker ADDRESS --nthreads 1`"
                ) from error
        yield client
    finally:
        if client is not None:
            with interrupts.held(), contextlib.suppress(Exception):
                client.close(timeout=5)


def _workers_there(client: Client, address: str) -> int:
    try:
        client.wait_for_workers(1, timeout=FIRST_WORKER)
    except TimeoutError as error:
        raise EngineError(
            f"the scheduler at {address} has no worker: start some by "
            f"`dask worker {address} --nthreads 1`"
        ) from error
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    if any(worker["nthreads"] > 1 for worker in workers):
        _say(
            "some of Dask's workers have several threads and will use one: start them with "
            "--nthreads 1, and as many as there are cores"
        )
    return len(workers)


def _announce(client: Client, what: str) -> None:
    _say(f"Dask: {what}; dashboard {client.dashboard_link}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _fall_silent() -> None:
    """Let no library tell of what breaks while all is ended in the midst of things."""
    for name in ("distributed", "tornado", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        for other in list(logging.root.manager.loggerDict):
            if other.startswith(f"{name}."):
                logging.getLogger(other).setLevel(logging.CRITICAL + 1)


def _kill(cluster: Any) -> None:
    """End the workers now: what they compute is wanted no more, and may take minutes."""
    for nanny in cluster.workers.values():
        nanny.auto_restart = False
        process = getattr(nanny, "process", None)
        if process is not None and process.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)


def _line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
