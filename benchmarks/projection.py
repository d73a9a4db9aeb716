"""How far workers help: the efficiency at 1 to 512 of them, from measured costs, and its bound.

``python -m benchmarks.projection`` measures what one task costs a worker, what it costs the driver
to send a task, take its result and save it, by each engine, and what it costs a worker to start:
in CPU seconds, but for a commit, whose wait for the disk counts too. From these it computes, it
does not measure, how long N workers take for all networks: they start, then each works through its
share, and the driver serves no more tasks a second than its own cost allows.
"""

import math
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.harness import architecture, cifar_like
from benchmarks.store_size import cost
from evaluation.attacks import evaluate, make
from proxies.job import Scored, ScoringJob, Task
from testbed.basis.terminal import plain_console
from testbed.command.job import Count, Execution, run_job
from testbed.engine.memory import keep_freed_memory
from testbed.engine.names import Engine
from testbed.sources.random import RandomSource
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.nasbench201.isomorphism import unique_ids
from testbed.store import ScoreRow, Store

ALL = 6466  # networks
WORKERS = (1, 2, 16, 64, 512)
FEW, MANY = 60, 180  # tasks; their difference is free of what a run costs once
PARCEL = 60  # tasks in a job of submitit
SCORES = ("params", "flops", "jacobian_norm", "hessian_input")
CHEAP = ("params", "flops", "live_pool")
ATTACKED, SAMPLE = 20, 3  # images; networks of which the median is taken
CLUSTER = "by: submitit\ncluster: local\njobs: 2\ntasks: {tasks}\nfolder: {folder}\n"


class Ready(ScoringJob):
    """A job of scores that are there at once, so that all that is left is the engine."""

    def __call__(self, task: Task) -> Scored:
        """Return rows like those of a score."""
        facts = {"iterations": 12, "spread": [0.25] * 16}
        return Scored([ScoreRow(key, 0.5, seconds=0.1, details=facts) for key in task.keys], {})


@dataclass(frozen=True)
class Driver:
    """What an engine costs the driver.

    Attributes:
        each: seconds for a task.
        start: CPU seconds that a worker takes before its first task.
        parcel: tasks for which a worker starts anew; None if it starts once.
    """

    each: float
    start: float
    parcel: int | None = None


def job(kind: type[ScoringJob] = ScoringJob) -> ScoringJob:
    """Return a job of a batch of 16 images of 32 × 32 pixels."""
    images, labels = cifar_like(16)
    source = RandomSource("random", (0.5,) * 3, (0.25,) * 3)
    return kind(source, images.numpy(), labels.numpy(), 10, "digits", {})


def tasks(scoring: ScoringJob, count: int, names: tuple[str, ...] = SCORES) -> list[Task]:
    """Return tasks of networks at even distances."""
    ids = unique_ids()
    networks = [str(Genotype.from_index(ids[place * len(ids) // count])) for place in range(count)]
    return scoring.tasks(networks, [0], names)


def seconds_of_tasks() -> dict[str, float]:
    """Return the median CPU seconds of a task of each kind, C = 16, N = 5, on one thread."""
    scoring, (images, labels) = job(), cifar_like(ATTACKED)
    pgd, ids = make("pgd"), unique_ids()
    networks = [architecture(ids[place * len(ids) // SAMPLE]) for place in range(SAMPLE)]
    kinds: dict[str, list[Callable[[], object]]] = {
        f"{', '.join(names)}": [
            lambda task=task: scoring(task) for task in tasks(scoring, SAMPLE, names)
        ]
        for names in (CHEAP, SCORES)
    }
    kinds[f"PGD at one ε, {ATTACKED} images"] = [
        lambda network=network: evaluate(network, images, labels, pgd, (1.0,))
        for network in networks
    ]
    found = {}
    for kind, calls in kinds.items():
        calls[0]()
        found[kind] = statistics.median(_timed(call) for call in calls)
    return found


def _timed(call: Callable[[], object]) -> float:
    begun = time.process_time()
    call()
    return time.process_time() - begun


def drivers() -> dict[str, Driver]:
    """Return what each engine costs the driver, with two workers here."""
    start, _ = cost(["-c", "import proxies.job, proxies.scoring"])
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "cluster.yaml"
        path.write_text(CLUSTER.format(tasks=PARCEL, folder=f"{name}/jobs"))
        wait = _waits_for_disk(Path(name))
        engines = {
            "processes": ("processes", None), "dask": ("dask", None),
            "submitit": (f"slurm:{path}", PARCEL),
        }  # fmt: skip
        return {
            title: Driver(_each(Engine.parse(word)) + wait, start, parcel)
            for title, (word, parcel) in engines.items()
        }


def _each(engine: Engine) -> float:
    few, many = (_run(engine, count) for count in (FEW, MANY))
    return (many - few) / (MANY - FEW)


def _run(engine: Engine, count: int) -> float:
    ready = job(Ready)
    with tempfile.TemporaryDirectory() as name, Store(Path(name) / "a.sqlite") as store:
        asked, begun = tasks(ready, count), time.process_time()
        console = plain_console(file=open(os.devnull, "w"))  # noqa: SIM115
        how = Execution("benchmarks.projection", 2, engine=engine)
        ending = run_job(ready, asked, store, how, console, _Silent())
        if ending.failed or ending.left:
            raise RuntimeError(f"{ending.failed[:1]}, {ending.left} left")
        return time.process_time() - begun


class _Silent:
    def __enter__(self) -> Callable[[Count], object]:
        return lambda count: None

    def __exit__(self, *_: object) -> None:
        pass


def _waits_for_disk(folder: Path) -> float:
    """Return the seconds in which a commit waits and does not compute."""
    ready, waits = job(Ready), []
    with Store(folder / "a.sqlite") as store:
        run = store.begin_run({})
        for task in tasks(ready, 50):
            rows, wall, cpu = ready(task), time.perf_counter(), time.process_time()
            store.save(run, rows)
            waits.append(time.perf_counter() - wall - (time.process_time() - cpu))
    return statistics.median(waits)


def projected(task: float, driver: Driver, workers: int) -> tuple[float, str]:
    """Return the efficiency of workers on all networks, and what bounds it.

    It is the time of all tasks over the time that the workers are held, times their number.
    """
    share = math.ceil(ALL / workers)
    starts = 1 if driver.parcel is None else math.ceil(share / driver.parcel)
    work, serving = share * task, ALL * driver.each
    total = starts * driver.start + max(work + driver.each, serving)
    losses = {
        "the driver": max(0.0, serving - work), "starting": starts * driver.start,
        "the last round": work - ALL * task / workers,
    }  # fmt: skip
    return ALL * task / workers / total, max(losses, key=lambda name: losses[name])


def table(kinds: Mapping[str, float], engines: Mapping[str, Driver]) -> Iterator[str]:
    """Yield the lines of the costs and of the projection in Markdown."""
    yield "| engine | driver, a task | a worker's start |"
    yield "| --- | ---: | ---: |"
    for name, driver in engines.items():
        again = f", every {driver.parcel} tasks" if driver.parcel else ""
        yield f"| {name} | {1000 * driver.each:.1f} ms | {driver.start:.1f} s{again} |"
    yield ""
    yield f"| a task | takes | engine | {' | '.join(map(str, WORKERS))} |"
    yield f"| --- | ---: | --- |{' ---: |' * len(WORKERS)}"
    for kind, seconds in kinds.items():
        for name, driver in engines.items():
            cells = []
            for count in WORKERS:
                part, why = projected(seconds, driver, count)
                said = f"{part:.0%}" if part >= 0.01 else "< 1%"
                cells.append(said if part >= 0.95 else f"{said}, {why}")
            yield f"| {kind} | {seconds:.3f} s | {name} | {' | '.join(cells)} |"


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    keep_freed_memory()
    for line in table(seconds_of_tasks(), drivers()):
        print(line, flush=True)


if __name__ == "__main__":
    # By its name, so that workers find the job where the driver found it.
    from benchmarks import projection

    projection.main()
