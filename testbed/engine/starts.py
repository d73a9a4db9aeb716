"""What a worker process of this machine is given when it starts: the function, and its GPU."""

import multiprocessing
import os
import pickle
import sys
import tempfile
from collections.abc import Sequence
from multiprocessing import reduction
from typing import Any, BinaryIO

from testbed.engine.devices import VISIBLE, visible_to
from testbed.engine.parcels import Parcel, receive

__all__ = ["Start"]


class Start:
    """A start that processes inherit: called in one, it tells it what it will need.

    The function lies in a file without a name, which nobody has to delete and all processes
    read; a pipe would let them start one after another.

    Args:
        parcel: of the function.
        devices: that the processes are pinned to in turn; none if there are not several.
    """

    def __init__(self, parcel: Parcel, devices: Sequence[str] = ()) -> None:
        self._file = _nameless()
        pickle.dump(parcel, self._file)
        self._file.flush()
        self.token, self._devices = parcel.token, tuple(devices)
        context = multiprocessing.get_context("spawn")
        self._count = context.Value("l", 0) if devices else None

    def __reduce__(self) -> tuple[Any, ...]:
        # Only ever while a process is spawned: no other pickle could hold a file.
        file: Any = reduction.DupFd(self._file.fileno())  # type: ignore[attr-defined]
        return _Arriving, (self.token, file, self._devices, self._count)


class _Arriving:
    """A start at its process."""

    def __init__(self, token: str, file: Any, devices: Sequence[str], count: Any) -> None:
        self._token, self._file, self._devices, self._count = token, file, devices, count

    def __call__(self) -> None:
        """Take the next device, and note where the function is."""
        if self._count is not None:
            with self._count.get_lock():
                number = self._count.value
                self._count.value += 1
            device = visible_to(number, self._devices)
            if device is not None:  # before anything asks CUDA
                os.environ[VISIBLE] = device
        receive(self._token, self._parcel)

    def _parcel(self) -> Parcel:
        file = self._file.detach()
        # Several processes share the file's place, so that none may move it.
        size = os.fstat(file).st_size
        parts = []
        while size > sum(map(len, parts)):
            parts.append(os.pread(file, 2**26, sum(map(len, parts))))
        os.close(file)
        return pickle.loads(b"".join(parts))


def _nameless() -> BinaryIO:
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("job"), "wb")
    return tempfile.TemporaryFile()
