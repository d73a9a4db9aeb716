"""A lack of memory: told from a fault of the network, and met with smaller parts."""

import gc
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch

__all__ = ["free", "in_parts", "not_of_memory", "out_of_memory"]

T = TypeVar("T")
# Of allocators that raise no class of their own: torch's on the CPU, cuBLAS, cuDNN.
WORDS = ("out of memory", "can't allocate memory", "_STATUS_ALLOC_FAILED")


def out_of_memory(error: BaseException | None) -> bool:
    """Say whether an exception is, or was raised from, a lack of memory of a device or the host."""
    while error is not None:
        if isinstance(error, MemoryError | torch.OutOfMemoryError):
            return True
        if isinstance(error, RuntimeError) and any(words in str(error) for words in WORDS):
            return True
        error = error.__cause__
    return False


def not_of_memory(error: BaseException) -> None:
    """Raise an exception again if it is a lack of memory: to be called before doing without.

    Where a network is tried in one way and, should that fail, in another, which way a result was
    computed in must not depend on the memory that happened to be free.
    """
    if out_of_memory(error):
        raise error


def free() -> None:
    """Give the memory back that an exception's frames held, so that a smaller part finds room."""
    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def in_parts(count: int, size: int, work: Callable[[slice], T], least: int = 1) -> Iterator[T]:
    """Yield the work on consecutive parts of ``count`` items, halved where memory does not suffice.

    Args:
        count: of the items.
        size: of the first parts; once one was too large, of half that size.
        work: what is done with a part; it depends on no other part.
        least: items in a part, below which halving saves nothing.
    """
    start = 0
    while start < count:
        part = slice(start, min(start + size, count))
        try:
            found = work(part)
        except Exception as error:
            size = (part.stop - start + 1) // 2
            if part.stop - start <= least or not out_of_memory(error):
                raise
        else:
            yield found
            start = part.stop
            continue
        free()
