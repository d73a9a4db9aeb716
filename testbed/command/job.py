"""A long command is a job; one loop runs it, with a bar, a record of the run, failures, Ctrl-C."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import typer
from rich.console import Console

from testbed import engine
from testbed.basis import interrupts
from testbed.command.console import fail, progress
from testbed.command.provenance import provenance
from testbed.command.shell import INTERRUPTED
from testbed.engine import Outcome
from testbed.engine.names import Engine
from testbed.store import Store

__all__ = ["Bar", "Count", "Ending", "Execution", "Job", "Words", "count_tasks", "run_job"]

Task = TypeVar("Task")
Value = TypeVar("Value")
Place = TypeVar("Place", contravariant=True)
FAILURES = 5  # of those that are printed
RETRY = "--retry-failed takes them up again"


@dataclass(frozen=True)
class Count:
    """How far a job is, in tasks.

    Attributes:
        total: of them; one that failed as a whole may become several parts.
        done: finished or failed.
        running: in workers now.
        failed: or finished in part only.
    """

    total: int
    done: int = 0
    running: int = 0
    failed: int = 0


Bar = AbstractContextManager[Callable[[Count], object]]  # what it gives is called with each change


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

    def wanted(self, task: Task, /) -> bool:
        """Return whether a task is worth doing still, after others failed."""
        ...

    def fail(self, place: Place, run: int, task: Task, outcome: Outcome, /) -> Sequence[Task]:
        """Keep that a task failed, and why; or return parts of it to be tried each by itself."""
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
        limit: seconds that a task may take; None for as long as it likes.
    """

    command: str
    workers: int = 1
    threads: int = 1
    device: str = "cpu"
    dtype: str = "float32"
    settings: Mapping[str, Any] = field(default_factory=dict)
    strict: bool = False
    engine: Engine = field(default_factory=Engine)
    limit: float | None = None


@dataclass
class Ending:
    """How a run ended.

    Attributes:
        left: how many tasks are not finished.
        what: the tasks are, in the plural.
        failed: names of tasks, each with its error.
        interrupted: by Ctrl-C.
        failed_before: how many results failed in an earlier run, and were not taken up again.
    """

    left: int
    what: str = "tasks"
    failed: list[tuple[str, str]] = field(default_factory=list)
    interrupted: bool = False
    failed_before: int = 0

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
        if self.interrupted:
            console.print(
                f"Interrupted with {self.left} {self.what} left: run the same command to go on."
            )
        now, before = len(self.failed), self.failed_before
        told = [f"{now} {self.what} failed; the others are in {place}"] if now else []
        if before:
            told.append(f"{before} failed in an earlier run")
        if told and self.interrupted:
            typer.echo(f"error: {'; '.join(told)}: {RETRY}", err=True)
        elif told:
            fail(f"{'; '.join(told)}: {RETRY}", 1)
        if self.interrupted:
            raise typer.Exit(INTERRUPTED)


def run_job(
    job: Job[Task, Value, Place], tasks: Sequence[Task], place: Place, execution: Execution,
    console: Console, bar: Bar | None = None, failed_before: int = 0, nothing: str = "",
) -> Ending:  # fmt: skip
    """Do the tasks of a job in the execution's workers, and keep each as it is finished.

    Args:
        job: see `Job`.
        tasks: what is left to do.
        place: where finished work is kept; a store records the run too.
        execution: see there.
        console: of the bar.
        bar: see `count_tasks`, which is taken if none is given.
        failed_before: results that failed in an earlier run and are not among the tasks.
        nothing: what is said if there are no tasks, in place of the job's own words.
    """
    ending = Ending(len(tasks), job.words.tasks, failed_before=failed_before)
    if not tasks:
        if failed_before and not nothing:
            nothing = f"Nothing is left but {failed_before} that failed: {RETRY}."
        console.print(nothing or job.words.nothing_left)
        return ending
    bar = bar or count_tasks(job, tasks, console)
    with _recorded(place, execution, ending) as run:
        try:
            with bar as tell:
                loop = _Loop(job, place, run, execution, ending, tell)
                loop.work(tasks)
        except KeyboardInterrupt:
            ending.interrupted = True
    return ending


class _Loop(Generic[Task, Value, Place]):
    """The loop of a job: what is handed out, what has arrived, what is tried again in parts."""

    def __init__(
        self, job: Job[Task, Value, Place], place: Place, run: int, execution: Execution,
        ending: Ending, tell: Callable[[Count], object],
    ) -> None:  # fmt: skip
        self._job, self._place, self._run = job, place, run
        self._execution, self._ending, self._tell = execution, ending, tell
        self._whole = ending.left
        self._out: list[Task] = []
        self._arrived = 0

    def work(self, tasks: Sequence[Task]) -> None:
        """Do tasks, then the parts of those that failed as a whole, after all others."""
        how, parts = self._execution, []
        self._out, self._arrived = [], 0
        outcomes = engine.run(
            self._job, _Counted(self._handed_out(tasks), len(tasks)), workers=how.workers,
            threads=how.threads, limit=how.limit, engine=how.engine, device=how.device,
        )  # fmt: skip
        with closing(outcomes):
            for position, outcome in outcomes:
                if outcome.error is not None:
                    interrupts.check()
                self._arrived += 1
                parts += self._keep(self._out[position], outcome)
                self._count()
                if how.strict and self._ending.failed:
                    return
        if parts:
            self.work(parts)

    def _handed_out(self, tasks: Sequence[Task]) -> Iterator[Task]:
        for task in tasks:
            if self._job.wanted(task):
                self._out.append(task)
                self._count()
                yield task
            else:
                self._ending.left -= 1

    def _count(self) -> None:
        running = min(len(self._out) - self._arrived, self._execution.workers)
        done, failed = self._whole - self._ending.left, len(self._ending.failed)
        self._tell(Count(self._whole, done, running, failed))

    def _keep(self, task: Task, outcome: Outcome[Value]) -> Sequence[Task]:
        """Keep an outcome; return the tasks that stand in its place, if it is none."""
        job, ending = self._job, self._ending
        if outcome.error is not None:
            parts = job.fail(self._place, self._run, task, outcome)
            if not parts:
                ending.failed.append((job.name(task), outcome.error))
        else:
            parts = ()
            failures = job.save(self._place, self._run, task, outcome.value)  # type: ignore[arg-type]
            ending.failed += [(f"{job.name(task)}, {part}", why) for part, why in failures.items()]
        ending.left += len(parts) - 1
        self._whole += max(0, len(parts) - 1)
        return parts


class _Counted(Generic[Task]):
    """Tasks of which an engine can know the number, at most: how many jobs of a cluster fit."""

    def __init__(self, tasks: Iterator[Task], count: int) -> None:
        self._tasks, self._count = tasks, count

    def __iter__(self) -> Iterator[Task]:
        return self._tasks

    def __len__(self) -> int:
        return self._count


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
) -> Iterator[Callable[[Count], object]]:
    """Show a bar of how many tasks are finished, running and failed; give what it is told by."""
    with progress(console, with_status=True) as bar:
        number = bar.add_task(job.words.verb, total=len(tasks))
        yield lambda count: bar.update(
            number, total=count.total, completed=count.done, running=count.running,
            failed=count.failed,
        )  # fmt: skip
