"""What all commands share: progress bars, the device, and errors without a traceback."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Task as RichTask
from rich.text import Text

from testbed.basis.errors import InputError, ToolkitError
from testbed.basis.foreign_text import quoted
from testbed.basis.terminal import plain_console
from testbed.command.heartbeat import Heartbeat, status

__all__ = [
    "check_device", "check_limit", "default_workers", "fail", "progress", "quiet_track",
    "split_words", "whole_numbers",
]  # fmt: skip

Item = TypeVar("Item")
MOST_NUMBERS = 1_000_000  # of seeds: as many as a run could ever be of


def fail(message: object, code: int = 2) -> NoReturn:
    """End the command with one message on standard error."""
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(code)


class _Bar(Progress):
    """A bar that leaves nothing where the line of an error takes its place."""

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if isinstance(error, ToolkitError):
            self.live.transient = True
            self.live.stop()
        else:
            super().__exit__(kind, error, traceback)


class _Status(ProgressColumn):
    """``2 running, 1 failed``, as a task of the bar was told."""

    def render(self, task: RichTask) -> Text:
        return Text(", ".join(status(task.fields.get("running"), task.fields.get("failed"))))


@contextmanager
def progress(
    console: Console | None = None, with_status: bool = False
) -> Iterator[Progress | Heartbeat]:
    """Show a bar with counts, time elapsed and the estimated rest.

    Where there is no terminal, a line tells the same now and then, see `Heartbeat`.

    Args:
        console: to show it on; standard error if not given, and in place of standard output,
            which may be going to a file.
        with_status: whether its tasks are told how much is running and has failed.
    """
    if console is None or (console.file is sys.stdout and not console.quiet):
        console = plain_console(stderr=True)
    if not console.is_terminal:
        with Heartbeat(console) as beat:
            yield beat
        return
    columns = (
        TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(),
        *([_Status()] if with_status else []),
        TimeElapsedColumn(), TextColumn("ETA"), TimeRemainingColumn(),
    )  # fmt: skip
    # The estimate looks back over ten minutes, since networks differ tenfold in cost.
    with _Bar(*columns, console=console, speed_estimate_period=600) as bar:
        yield bar


def quiet_track(items: Sequence[Item], description: str) -> Iterable[Item]:
    """Hand items on with a bar on standard error: standard output may be going to a file.

    The bar is gone at the end, and is not there at all where standard error is no terminal.
    """
    console = plain_console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        yield from bar.track(items, description=description)


def split_words(option: str) -> list[str]:
    """Return the words of a comma-separated option, each once."""
    return list(dict.fromkeys(word.strip() for word in option.split(",") if word.strip()))


def whole_numbers(option: str, name: str) -> list[int]:
    """Return the numbers of an option such as ``0,1,2`` or ``0-9``.

    Raises:
        ValueError: if it is neither.
    """
    spans, numbers = [], 0
    for word in split_words(option):
        first, dash, last = word.partition("-")
        if not _is_whole(first) or (dash and not _is_whole(last)):
            raise _not_whole(option, name)
        # The length of a range may exceed what Python's len takes.
        spans.append((int(first), int(last or first) + 1))
        numbers += max(0, spans[-1][1] - spans[-1][0])
    if not numbers:
        raise _not_whole(option, name)
    if numbers > MOST_NUMBERS:
        raise InputError(f"at most {MOST_NUMBERS:,} {name}; got {numbers:,} by {quoted(option)}")
    return list(dict.fromkeys(number for span in spans for number in range(*span)))


def _is_whole(word: str) -> bool:
    # In ASCII: other scripts have digits too. Of 64 bits.
    return word.isascii() and word.isdecimal() and len(word) < 20 and int(word) < 2**63


def _not_whole(option: str, name: str) -> InputError:
    return InputError(f"{name} are whole numbers such as 0,1,2 or 0-9; got {quoted(option)}")


def check_device(name: str) -> str:
    """Return a device's name if it can be used here.

    Raises:
        ValueError: if torch does not know it or cannot reach it.
    """
    import torch

    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"device {name!r} cannot be used here: {reason}") from error
    return name


def check_limit(seconds: float | None) -> float | None:
    """Return a time limit if it is one.

    Raises:
        InputError: if it is not a number of seconds, above 0.
    """
    if seconds is not None and not 0 < seconds < float("inf"):
        raise InputError(f"--time-limit is a number of seconds, above 0; got {seconds}")
    return seconds


def default_workers(device: str) -> int:
    """Return the number of CPU cores this process may use; one worker where a GPU computes."""
    if device != "cpu":
        return 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
