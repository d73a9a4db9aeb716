"""The outcome of one item: a value, or an error that stops no other item."""

import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch

from testbed.basis.errors import ToolkitError
from testbed.engine.memory import keep_freed_memory

__all__ = ["DIED", "LATE", "EngineError", "Outcome", "attempt", "died", "failure"]

DIED, LATE = "WorkerDied", "TimeLimit"  # error types that are no exceptions of the function

Item = TypeVar("Item")
Value = TypeVar("Value")


class EngineError(ToolkitError, RuntimeError):
    """The engine could not go on: a worker died, or the function cannot reach one."""


@dataclass(frozen=True)
class Outcome(Generic[Value]):
    """The outcome of one item.

    Attributes:
        value: what the function returned; None if it failed.
        error: the exception in one line, ``ValueError: no such layer``; None if it returned.
        error_type: the name of the exception's class; None if it returned.
        traceback: the traceback of the exception, for a log; None if it returned.
    """

    value: Value | None = None
    error: str | None = None
    error_type: str | None = None
    traceback: str | None = None

    @property
    def kind(self) -> str:
        """How it failed, as a store calls it: ``died``, ``time limit`` or ``error``."""
        return {DIED: "died", LATE: "time limit"}.get(str(self.error_type), "error")


def attempt(function: Callable[[Item], Value], item: Item, threads: int) -> Outcome[Value]:
    """Return the outcome of ``function(item)``, computed with this many threads of torch."""
    # Around each item, not around the loop, so that the caller's own work between two items
    # keeps its threads and an abandoned loop leaves nothing changed.
    keep_freed_memory()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return Outcome(function(item))
    except (Exception, SystemExit) as error:
        return failure(error)
    finally:
        torch.set_num_threads(before)


def failure(error: BaseException) -> Outcome[Any]:
    """Return the outcome of an item that ended in this exception."""
    line = "".join(traceback.format_exception_only(type(error), error)).strip()
    return Outcome(None, line, type(error).__name__, "".join(traceback.format_exception(error)))


def died(exitcode: int | None) -> Outcome[Any]:
    """Return the outcome of an item whose process died twice, the last time with this code."""
    how = f"exit code {exitcode}"
    if exitcode is not None and exitcode < 0:
        how = signal.Signals(-exitcode).name
    said = (
        f"the process that computed it died ({how}), twice: for lack of memory, if it was killed, "
        "else in native code"
    )
    return Outcome(error=said, error_type=DIED)
