"""A run of many tasks: each is saved as it finishes, an interrupt keeps what is finished."""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import typer
from rich.console import Console

from testbed import engine
from testbed.command.console import fail, progress
from testbed.command.provenance import provenance
from testbed.store import Store

__all__ = ["INTERRUPTED", "Plan", "Work", "work"]

Task = TypeVar("Task")
Value = TypeVar("Value")
INTERRUPTED = 130
FAILURES = 5  # of those that are printed


@dataclass(frozen=True)
class Plan:
    """How to run, and what to record of it.

    Attributes:
        command: the module that was called, ``proxies.compute`` for instance.
        workers: processes.
        threads: of each.
        device: that computes.
        dtype: of the computation.
        settings: for the provenance.
    """

    command: str
    workers: int
    threads: int
    device: str
    dtype: str
    settings: dict[str, Any]


@dataclass
class Work:
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


def work(
    function: Callable[[Task], Value], tasks: Sequence[Task], store: Store, plan: Plan,
    console: Console, *, save: Callable[[int, Task, Value], object],
    name: Callable[[Task], str], verb: str,
    failures: Callable[[Value], Mapping[str, str]] = lambda value: {},
) -> Work:  # fmt: skip
    """Do the tasks in the plan's workers, with a bar; record the run in the store.

    Args:
        function: of a task; see `testbed.engine.run`.
        tasks: what is left to do.
        store: that knows of the run.
        plan: see `Plan`.
        console: of the bar.
        save: called with the run's number, a task and its value as each one finishes.
        name: of a task, for the report of failures.
        verb: in front of the bar.
        failures: of a value: which of its parts failed, and why; the others are saved.
    """
    result = Work(len(tasks))
    if not tasks:
        console.print("Every result is in the store already.")
        return result
    command = ["python", "-m", plan.command, *sys.argv[1:]]
    run = store.begin_run(provenance(command, plan.device, plan.dtype, plan.threads, plan.settings))
    status = "failed"
    try:
        with (
            progress(console) as bar,
            closing(
                engine.run(function, tasks, workers=plan.workers, threads=plan.threads)
            ) as outcomes,
        ):
            count = bar.add_task(verb, total=len(tasks))
            for position, outcome in outcomes:
                task = tasks[position]
                if outcome.value is None:
                    result.failed.append((name(task), str(outcome.error)))
                else:
                    save(run, task, outcome.value)
                    for part, error in failures(outcome.value).items():
                        result.failed.append((f"{name(task)}, {part}", error))
                result.left -= 1
                bar.advance(count)
        status = "failed" if result.failed else "done"
    except KeyboardInterrupt:
        result.interrupted, status = True, "interrupted"
    finally:
        store.finish_run(run, status)
    return result
