"""Pixels that are read when they are asked for."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from testbed.basis.foreign_text import shown
from testbed.images.errors import DataFileError
from testbed.images.own.pictures import Form, decode
from testbed.images.own.reader import Reader

__all__ = ["StoredPixels", "in_order"]

THREADS = 4  # Pillow decodes without Python's lock
CHUNK_BYTES = 2**24

Item = TypeVar("Item")
Value = TypeVar("Value")


@dataclass(frozen=True, eq=False)
class StoredPixels:
    """Grey levels of images on the disk, with as much of a tensor's interface as is needed.

    ``pixels[indices]`` reads and decodes some of them into a uint8 tensor (n, C, H, W).

    Attributes:
        reader: of the files.
        rows: the storage place of each image, int64 (N,).
        form: of the pixels.
    """

    reader: Reader
    rows: NDArray[np.int64]
    form: Form

    dtype = torch.uint8
    ndim = 4

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Return (N, C, H, W)."""
        return (len(self.rows), self.form.channels, *self.form.size)

    def __len__(self) -> int:
        return len(self.rows)

    def first(self, count: int) -> "StoredPixels":
        """Return the first so many of the images, unread."""
        rows = self.rows[:count].copy()
        return replace(self, rows=rows, reader=self.reader.only(rows))

    def __getitem__(self, which: Tensor | slice) -> Tensor:
        rows = self.rows[which if isinstance(which, slice) else which.cpu().numpy()]
        result = torch.empty((len(rows), *self.shape[1:]), dtype=torch.uint8)
        filled = result.numpy()  # the same memory: torch warns of arrays that are read only
        order = np.argsort(rows, kind="stable")
        in_storage = rows[order].tolist()
        places = zip(order.tolist(), in_storage, self.reader.contents(in_storage), strict=True)

        def read(entry: tuple[int, int, object]) -> None:
            place, row, content = entry
            try:
                filled[place] = decode(content, self.form)  # type: ignore[arg-type]
            except DataFileError as error:
                raise DataFileError(f"{shown(self.reader.name(row))}: {error}") from error

        for _ in in_order(read, places):
            pass
        return result

    def chunks(self) -> Iterator[Tensor]:
        """Yield all images, some megabytes at a time."""
        step = max(1, CHUNK_BYTES // int(np.prod(self.shape[1:])))
        for start in range(0, len(self), step):
            yield self[start : start + step]


def in_order(function: Callable[[Item], Value], items: Iterable[Item]) -> Iterator[Value]:
    """Yield the values of items in their order, computed by a few threads, never far ahead."""
    waiting: deque = deque()
    with ThreadPoolExecutor(THREADS) as pool:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= 4 * THREADS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
