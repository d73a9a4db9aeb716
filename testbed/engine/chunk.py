"""A job of submitit: some items, computed one after another."""

import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from submitit.helpers import Checkpointable, DelayedSubmission

from testbed.engine.outcome import failure
from testbed.engine.parcels import Word, receive, work

__all__ = ["PARCEL", "Chunk"]

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
        self._path, self._word, self._threads = folder / PARCEL, word, threads
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
        receive(self._word.token, lambda: pickle.loads(self._path.read_bytes()))
        for position, packed in self._items:
            if position not in self._done:
                outcome = work(self._word, packed, self._threads)
                if self._leaving:  # the item took the signal's exception for its own
                    sys.exit(1)
                self._done[position] = outcome
        return self._done

    def checkpoint(self) -> DelayedSubmission:
        """Return what is left: the cluster takes the job's node away, or its time is up."""
        left = Chunk.__new__(Chunk)
        left.__dict__.update(self.__dict__)
        self._leaving = True
        return DelayedSubmission(left)


def _exit_with(owner: int) -> None:
    while True:
        try:
            os.kill(owner, 0)
        except ProcessLookupError:
            os.kill(os.getpid(), signal.SIGKILL)
        except PermissionError:
            return
        time.sleep(1)
