"""How far a command is, where there is no terminal to draw a bar on: a line now and then."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from rich.console import Console
from rich.progress import TaskID

__all__ = ["Heartbeat", "status"]

Item = TypeVar("Item")
SECONDS = 30.0
SHARES = 10  # a line after each of so many parts
BRIEF = 2.0  # seconds of a task that nobody waits for: it says nothing


@dataclass
class _Task:
    description: str
    total: float | None
    begun: float
    completed: float = 0.0
    first: float = 0.0  # what was done before, of which nothing tells how long it took
    parts: int = 0
    running: int | None = None
    failed: int | None = None


def status(running: int | None, failed: int | None) -> list[str]:
    """Return how many are running and have failed, in words, as far as that is known."""
    numbers = {"running": running, "failed": failed}
    return [f"{number:,} {what}" for what, number in numbers.items() if number is not None]


class Heartbeat:
    """Prints a line every 30 seconds, and every 10 % of a task; a stand-in for rich's bar.

    Of its first two seconds a task says nothing.

    Args:
        console: to print on, of standard error.
        clock: seconds that only grow.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self.console = console
        self._clock, self._last = clock, clock()
        self._tasks: list[_Task] = []
        self._lock, self._over = threading.RLock(), threading.Event()

    def __enter__(self) -> "Heartbeat":
        # A single item may take longer than that: the line comes all the same.
        threading.Thread(target=self._keep_beating, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()

    def add_task(self, description: str, total: float | None = 100.0) -> TaskID:
        """Begin a task and return its number."""
        with self._lock:
            self._tasks.append(_Task(description, total, self._clock()))
            return TaskID(len(self._tasks) - 1)

    def advance(self, task: TaskID, advance: float = 1.0) -> None:
        """Say that so much more is done."""
        self.update(task, completed=self._tasks[task].completed + advance)

    def update(
        self, task: TaskID, *, total: float | None = None, completed: float | None = None,
        running: int | None = None, failed: int | None = None,
    ) -> None:  # fmt: skip
        """Say how much is done in all, how much there is to do, what is running and has failed."""
        with self._lock:
            one = self._tasks[task]
            one.running = one.running if running is None else running
            one.failed = one.failed if failed is None else failed
            one.total = one.total if total is None else total
            if completed is None:
                return
            if not one.completed and self._clock() - one.begun < 1:
                one.first = completed if completed > 1 else 0.0
            one.completed = completed
            parts = int(SHARES * completed / one.total) if one.total else 0
            if parts > one.parts:
                one.parts = parts
                if self._clock() - one.begun >= BRIEF:
                    self._print(one)

    def track(self, items: Sequence[Item], description: str) -> Iterator[Item]:
        """Hand items on, and count them."""
        task = self.add_task(description, len(items))
        for item in items:
            yield item
            self.advance(task)

    def beat(self) -> None:
        """Print a line of the latest task if there was none for 30 seconds."""
        with self._lock:
            if self._tasks and self._clock() - self._last >= SECONDS:
                self._print(self._tasks[-1])

    def _keep_beating(self) -> None:
        while not self._over.wait(1):
            self.beat()

    def _print(self, task: _Task) -> None:
        now = self._clock()
        self._last, passed = now, now - task.begun
        facts = [f"{task.completed:,.0f} done"]
        if task.total:
            share = int(100 * task.completed / task.total)
            facts = [f"{share} % ({task.completed:,.0f} of {task.total:,.0f})"]
        facts += [*status(task.running, task.failed), f"{_clock_time(passed)} elapsed"]
        done = task.completed - task.first
        if task.total and done > 0 and task.completed < task.total:
            left = passed * (task.total - task.completed) / done
            facts.append(f"about {_clock_time(left)} left")
        self.console.print(f"{task.description}: {', '.join(facts)}", soft_wrap=True)


def _clock_time(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
