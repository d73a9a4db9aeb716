"""Tensors as a file stores them: where their numbers lie, read when they are wanted.

A file of an archive holds the weights of some 17 trained networks; one is asked for.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = ["TENSOR_NAMES", "Storage", "StorageType", "StoredTensor"]


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
        storage: anything with ``numbers()``.
        offset: the place of the first element in the storage.
        shape: the shape of the tensor.
        stride: the stride of each dimension, in elements.
    """

    __slots__ = ("offset", "shape", "storage", "stride")

    def __init__(self, storage: Any, offset: Any, shape: Any, stride: Any) -> None:
        self.storage, self.offset, self.shape, self.stride = storage, offset, shape, stride

    def read(self) -> Tensor:
        """Read and return the tensor, contiguous, on the CPU."""
        shape, stride = tuple(map(int, self.shape)), tuple(map(int, self.stride))
        numbers = self.storage.numbers()
        # Strides of 0 would let a few bytes claim any amount of memory.
        if math.prod(shape) > len(numbers):
            raise ValueError(f"a tensor {shape} lies in a storage of {len(numbers)} numbers")
        view = numbers.as_strided(shape, stride, int(self.offset))
        return view.clone(memory_format=torch.contiguous_format)


class _PlainDict(dict):
    """An ordered dictionary of a file; attributes such as ``_metadata`` are left out."""

    __slots__ = ()

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
