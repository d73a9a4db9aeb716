"""Tensors as a file stores them: where their numbers lie, read when they are wanted.

A file of an archive holds the weights of some 17 trained networks; one is asked for.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from testbed.basis.foreign_text import described

__all__ = ["TENSOR_NAMES", "Storage", "StorageType", "StoredTensor"]


SPARSEST = 1000  # numbers in a storage for each of a tensor that is read from it


class StorageType(NamedTuple):
    """The stand-in of a storage class, e.g. ``torch.FloatStorage``; no pickle can alter it."""

    dtype: torch.dtype


class Storage:
    """A row of numbers in a file.

    Args:
        dtype: the type of the numbers.
        count: the number of numbers.
    """

    __slots__ = ("count", "dtype", "fetch")

    def __init__(self, dtype: torch.dtype, count: int) -> None:
        self.dtype, self.count = dtype, count
        # The bytes come after the pickle that mentions them: set when they are found.
        self.fetch: Callable[[], bytes] | None = None

    @property
    def size(self) -> int:
        """Return the number of bytes."""
        return self.count * self.dtype.itemsize

    def stored(self) -> "Storage":
        """Return itself; what stands for a storage elsewhere returns one."""
        return self

    def numbers(self) -> Tensor:
        """Read and return the numbers, (count,)."""
        raw = self.fetch() if self.fetch else b""
        if len(raw) != self.size:
            raise ValueError(f"a storage has {len(raw)} bytes; expected {self.size}")
        # A copy: torch wants memory that may be written.
        return torch.frombuffer(bytearray(raw), dtype=self.dtype)


class StoredTensor:
    """A view of a storage, from the arguments of ``torch._utils._rebuild_tensor_v2``.

    Args:
        storage: anything with ``stored()``.
        offset: the place of the first element in the storage.
        shape: the shape of the tensor.
        stride: the stride of each dimension, in elements.
    """

    __slots__ = ("offset", "shape", "storage", "stride")

    def __init__(self, storage: Any, offset: Any, shape: Any, stride: Any) -> None:
        self.storage, self.offset, self.shape, self.stride = storage, offset, shape, stride

    def kind(self) -> tuple[torch.dtype, tuple[int, ...]]:
        """Return the type and the shape, without reading the numbers.

        Raises:
            ValueError: if the shape, the strides or the offset are no whole numbers from 0.
        """
        for numbers in (self.shape, self.stride, (self.offset,)):
            if not isinstance(numbers, tuple) or not all(
                type(number) is int and 0 <= number < 2**63 for number in numbers
            ):
                raise ValueError(f"expected whole numbers of a tensor; got {described(numbers)}")
        return self._storage().dtype, self.shape

    def read(self) -> Tensor:
        """Read and return the tensor, contiguous, on the CPU."""
        _, shape = self.kind()
        storage = self._storage()
        # Strides of 0 would let a few bytes claim any amount of memory, and a storage that many
        # tensors lie in would be read for each of them.
        if math.prod(shape) > storage.count:
            raise ValueError(f"a tensor {shape} lies in a storage of {storage.count} numbers")
        if storage.count > SPARSEST * math.prod(shape):
            raise ValueError(f"a tensor {shape} is a small part of {storage.count} numbers")
        view = storage.numbers().as_strided(shape, self.stride, self.offset)
        return view.clone(memory_format=torch.contiguous_format)

    def _storage(self) -> Storage:
        storage = self.storage.stored()
        if not isinstance(storage, Storage):
            raise TypeError(f"expected a storage; got {described(storage)}")
        return storage


class _PlainDict(dict):
    """An ordered dictionary of a file; attributes such as ``_metadata`` are left out."""

    __slots__ = ()

    def __init__(self, pairs: Any = ()) -> None:
        # Python 2 gives the entries so; the look through the pickle does not see them as keys.
        for key, _ in pairs:
            if type(key) not in (str, int):
                raise TypeError(f"expected names in a dictionary; got {described(key)}")
        super().__init__(pairs)

    def __setstate__(self, state: Any) -> None:
        pass


class _RebuildTensor:
    __slots__ = ()

    def __call__(
        self, storage: Any, offset: Any, shape: Any, stride: Any, *ignored: Any
    ) -> StoredTensor:
        return StoredTensor(storage, offset, shape, stride)


# The names that a pickle of tensors contains, for every format of PyTorch.
TENSOR_NAMES = {
    ("collections", "OrderedDict"): _PlainDict,
    ("torch._utils", "_rebuild_tensor_v2"): _RebuildTensor(),
    ("torch", "FloatStorage"): StorageType(torch.float32),
    ("torch", "LongStorage"): StorageType(torch.int64),
}
