"""Chunks on their way into a cluster's queue: what it does not take under way is tried again."""

import contextlib
import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from testbed.basis import interrupts
from testbed.engine import squeue
from testbed.engine.cluster_file import ClusterFile
from testbed.engine.outcome import EngineError

__all__ = ["Submission"]

Items = list[tuple[int, Any]]
AGAIN = 30.0  # seconds to another try
WAIT = 3600.0  # seconds of tries while no job is left


class Submission:
    """Submits chunks, of which a cluster may refuse some for a while.

    Args:
        executor: of submitit.
        chunk: makes a `Chunk` of items and its owner.
        asked: what is asked of the cluster.
        folder: of this run's jobs.
    """

    def __init__(
        self, executor: Any, chunk: Callable[[Items, int | None], Any], asked: ClusterFile,
        folder: Path,
    ) -> None:  # fmt: skip
        self._executor, self._chunk, self._asked, self._folder = executor, chunk, asked, folder
        self._refused: list[Items] = []
        self._accepted = False
        self._told = ""
        self._since = self._next = 0.0

    @property
    def waiting(self) -> bool:
        """Whether there are chunks that the cluster did not take yet."""
        return bool(self._refused)

    def take(self, chunks: Iterator[Items], free: int, others: bool) -> list[tuple[Items, Any]]:
        """Submit so many of the chunks at most; return those that were taken, with their jobs.

        Args:
            chunks: are taken from it as needed.
            free: how many jobs more there may be.
            others: whether there are jobs already.

        Raises:
            EngineError: if the cluster does not take the first of all chunks, or none for an hour
                without which there is no job.
        """
        if self._refused and time.monotonic() < self._next:
            return []
        new = [*self._refused, *islice(chunks, max(0, free - len(self._refused)))]
        if not new:
            return []
        with interrupts.held():
            try:
                jobs = self._submit(new)
            except EngineError as error:
                self._keep(new, error, others)
                return []
        self._refused, self._accepted = [], True
        return list(zip(new, jobs, strict=True))

    def _keep(self, new: list[Items], error: EngineError, others: bool) -> None:
        now = time.monotonic()
        if not self._refused:
            self._since = now
        local = self._asked.cluster == "local"
        if local or not self._accepted or (not others and now - self._since > WAIT):
            raise error
        self._refused, self._next = new, now + AGAIN
        if str(error) != self._told:
            self._told = str(error)
            print(f"{error}: trying again", file=sys.stderr, flush=True)

    def _submit(self, new: list[Items]) -> list[Any]:
        local = self._asked.cluster == "local"
        functions = [self._chunk(items, os.getpid() if local else None) for items in new]
        try:
            if local:
                with _errors_to(self._folder / "controllers.log"):
                    return [self._executor.submit(function) for function in functions]
            # Submitit prints what sbatch says, too.
            with contextlib.redirect_stderr(io.StringIO()), self._executor.batch():
                return [self._executor.submit(function) for function in functions]
        except Exception as error:
            why = squeue.refusal(str(error)) or type(error).__name__
            raise EngineError(f"no jobs can be submitted: {why}") from error


@contextlib.contextmanager
def _errors_to(path: Path) -> Iterator[None]:
    """Let processes that start here tell a file of their end: a Ctrl-C is no news to a user."""
    with path.open("ab") as file:
        before = os.dup(2)
        try:
            os.dup2(file.fileno(), 2)
            yield
        finally:
            os.dup2(before, 2)
            os.close(before)
