"""A job of submitit: some items, computed one after another, each kept as it is finished."""

import os
import pickle
import platform
import signal
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from submitit.helpers import Checkpointable, DelayedSubmission

from testbed.engine.outcome import failure
from testbed.engine.parcels import Word, receive, work

__all__ = ["PARCEL", "Chunk", "finished", "forget"]

PARCEL = "job.pickle"


class Chunk(Checkpointable):
    """Some items, and what was made of them; sent back to the queue it goes on where it was.

    Args:
        folder: that holds the parcel.
        word: for the function.
        items: by position.
        threads: of torch.
        owner: the process that the chunk ends with; None for jobs of a cluster, which cannot see
            it.
    """

    def __init__(
        self, folder: Path, word: Word[Any, Any], items: Sequence[tuple[int, Any]], threads: int,
        owner: int | None,
    ) -> None:  # fmt: skip
        self._folder, self._word, self._threads = folder, word, threads
        self._items: list[tuple[int, bytes]] = []
        self._done: dict[int, bytes] = {}
        self._leaving = False
        for position, item in items:
            try:
                self._items.append((position, pickle.dumps(item)))
            except Exception as error:
                self._done[position] = pickle.dumps(failure(error))
        self._owner = owner

    def __call__(self) -> dict[int, bytes]:
        """Return the pickled outcome of each item, by position."""
        if self._owner is not None:
            threading.Thread(target=_exit_with, args=(self._owner,), daemon=True).start()
        path = self._folder / PARCEL
        receive(self._word.token, lambda: pickle.loads(path.read_bytes()))
        # Most clusters take a node away without the signal that one asks for.
        self._done |= finished(self._folder, [position for position, _ in self._items])
        for position, packed in self._items:
            if position not in self._done:
                outcome = work(self._word, packed, self._threads)
                if self._leaving:  # the item took the signal's exception for its own
                    sys.exit(1)
                self._done[position] = outcome
                with suppress(OSError):  # it goes with the result of the job as well
                    _keep(self._folder, position, outcome)
        return self._done

    def checkpoint(self) -> DelayedSubmission:
        """Return what is left: the cluster takes the job's node away, or its time is up."""
        left = Chunk.__new__(Chunk)
        left.__dict__.update(self.__dict__)
        self._leaving = True
        return DelayedSubmission(left)


def finished(folder: Path, positions: Iterable[int]) -> dict[int, bytes]:
    """Return the pickled outcomes of those items that a job had finished when it died.

    Args:
        folder: of the run's jobs.
        positions: of the items.
    """
    found = {}
    for position in positions:
        with suppress(OSError):
            found[position] = _place(folder, position).read_bytes()
    return found


def forget(folder: Path, positions: Iterable[int]) -> None:
    """Delete the outcomes of items that have been taken in."""
    for position in positions:
        with suppress(OSError):
            _place(folder, position).unlink()


def _place(folder: Path, position: int) -> Path:
    return folder / f"{position}.outcome"


def _keep(folder: Path, position: int, outcome: bytes) -> None:
    """Write an outcome, whole or not at all."""
    place = _place(folder, position)
    part = place.with_name(f"{place.name}-{platform.node()}-{os.getpid()}")
    part.write_bytes(outcome)
    part.replace(place)


def _exit_with(owner: int) -> None:
    while True:
        try:
            os.kill(owner, 0)
        except ProcessLookupError:
            os.kill(os.getpid(), signal.SIGKILL)
        except PermissionError:
            return
        time.sleep(1)
