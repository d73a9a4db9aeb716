"""A long command is a job; one loop runs it, with a bar, a record of the run, failures, Ctrl-C."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

import typer
from rich.console import Console

from testbed import engine
from testbed.basis import interrupts
from testbed.command.console import fail, progress
from testbed.command.provenance import provenance
from testbed.command.shell import INTERRUPTED
from testbed.engine.names import Engine
from testbed.store import Store

__all__ = ["Bar", "Ending", "Execution", "Job", "Words", "count_tasks", "run_job"]

Task = TypeVar("Task")
Value = TypeVar("Value")
Place = TypeVar("Place", contravariant=True)
Bar = AbstractContextManager[Callable[[], object]]  # what it gives is called after each task
FAILURES = 5  # of those that are printed


@dataclass(frozen=True)
class Words:
    """What a job is called.

    Attributes:
        verb: in front of its bar, ``scoring`` for instance.
        tasks: of the job, in the plural.
        nothing_left: what is said when every task is finished.
    """

    verb: str
    tasks: str = "tasks"
    nothing_left: str = "Every result is in the store already."


class Job(Protocol[Task, Value, Place]):
    """What a long command does, task by task: train, score, measure or search.

    A job is sent to other processes with every task and called there, so it is small and can be
    pickled; all else happens in the process of the command. A place is where finished work is
    kept: a store, a folder, a dict.
    """

    words: ClassVar[Words]

    def tasks(self, *asked: Any, **others: Any) -> Sequence[Task]:
        """Return the tasks of what is asked for, of networks and seeds for instance."""
        ...

    def __call__(self, task: Task, /) -> Value:
        """Return the value of a task."""
        ...

    def name(self, task: Task, /) -> str:
        """Return what a task is called if it fails."""
        ...

    def save(self, place: Place, run: int, task: Task, value: Value, /) -> Mapping[str, str]:
        """Keep a value; return which parts of it failed, and why: the others are kept."""
        ...


@dataclass(frozen=True)
class Execution:
    """How to run a job, and what to record of it.

    Attributes:
        command: the module that was called, ``proxies.compute`` for instance.
        workers: processes.
        threads: of torch in each.
        device: that computes.
        dtype: of the computation.
        settings: for the provenance.
        strict: whether the first task that fails ends the run.
        engine: who computes; by the number of workers if it does not say.
    """

    command: str
    workers: int = 1
    threads: int = 1
    device: str = "cpu"
    dtype: str = "float32"
    settings: Mapping[str, Any] = field(default_factory=dict)
    strict: bool = False
    engine: Engine = field(default_factory=Engine)


@dataclass
class Ending:
    """How a run ended.

    Attributes:
        left: how many tasks are not finished.
        what: the tasks are, in the plural.
        failed: names of tasks, each with its error.
        interrupted: by Ctrl-C.
    """

    left: int
    what: str = "tasks"
    failed: list[tuple[str, str]] = field(default_factory=list)
    interrupted: bool = False

    @property
    def status(self) -> str:
        """The end of the run in one word, for the store."""
        return "interrupted" if self.interrupted else "failed" if self.failed else "done"

    def report(self, console: Console, place: Path) -> None:
        """Say what is missing and how to get it; end with the fitting exit code.

        Args:
            console: of the command.
            place: the file or folder that holds what is finished.
        """
        for name, error in self.failed[:FAILURES]:
            typer.echo(f"failed: {name}: {error}", err=True)
        if self.failed:
            fail(f"{len(self.failed)} {self.what} failed; the others are in {place}", 1)
        if self.interrupted:
            console.print(
                f"Interrupted with {self.left} {self.what} left: run the same command to go on."
            )
            raise typer.Exit(INTERRUPTED)


def run_job(
    job: Job[Task, Value, Place], tasks: Sequence[Task], place: Place, execution: Execution,
    console: Console, bar: Bar | None = None,
) -> Ending:  # fmt: skip
    """Do the tasks of a job in the execution's workers, and keep each as it is finished.

    Args:
        job: see `Job`.
        tasks: what is left to do.
        place: where finished work is kept; a store records the run too.
        execution: see there.
        console: of the bar.
        bar: see `count_tasks`, which is taken if none is given.
    """
    ending = Ending(len(tasks), job.words.tasks)
    if not tasks:
        console.print(job.words.nothing_left)
        return ending
    outcomes = engine.run(
        job, tasks, workers=execution.workers, threads=execution.threads,
        engine=execution.engine, device=execution.device,
    )  # fmt: skip
    bar = bar or count_tasks(job, tasks, console)
    with _recorded(place, execution, ending) as run:
        try:
            with bar as advance, closing(outcomes):
                for position, outcome in outcomes:
                    if outcome.error is not None:
                        interrupts.check()
                    _keep(job, tasks[position], outcome, place, run, ending)
                    advance()
                    if execution.strict and ending.failed:
                        break
        except KeyboardInterrupt:
            ending.interrupted = True
    return ending


def _keep(
    job: Job[Task, Value, Place], task: Task, outcome: engine.Outcome[Value], place: Place,
    run: int, ending: Ending,
) -> None:  # fmt: skip
    if outcome.error is not None:
        ending.failed.append((job.name(task), outcome.error))
    else:
        failures = job.save(place, run, task, outcome.value)  # type: ignore[arg-type]
        ending.failed += [(f"{job.name(task)}, {part}", why) for part, why in failures.items()]
    ending.left -= 1


@contextmanager
def _recorded(place: object, execution: Execution, ending: Ending) -> Iterator[int]:
    """Record the run if the place is a store, and give its number; else 0."""
    if not isinstance(place, Store):
        yield 0
        return
    command = ["python", "-m", execution.command, *sys.argv[1:]]
    origin = provenance(
        command, execution.device, execution.dtype, execution.threads, execution.settings
    )
    run, status = None, "failed"
    try:
        with interrupts.held():
            run = place.begin_run(origin)
        yield run
        status = ending.status
    except KeyboardInterrupt:
        status = "interrupted"
        raise
    finally:
        if run is not None:
            with interrupts.held():
                place.finish_run(run, status)


@contextmanager
def count_tasks(
    job: Job[Task, Value, Place], tasks: Sequence[Task], console: Console
) -> Iterator[Callable[[], object]]:
    """Show a bar of how many tasks are finished; give what is called after each."""
    with progress(console) as bar:
        count = bar.add_task(job.words.verb, total=len(tasks))
        yield lambda: bar.advance(count)
