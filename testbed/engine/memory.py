"""Freed memory is kept for the next tensor, where the C library is glibc.

By default glibc maps each large block anew and returns it to the kernel when it is freed, which
hands out zeroed pages one fault at a time: a third of the CPU time of small networks.
"""

import ctypes
import functools

__all__ = ["keep_freed_memory"]

# Of glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
NEVER = 2**31 - 1


@functools.cache
def keep_freed_memory() -> bool:
    """Let this process keep the memory it frees from now on, and say whether that is possible.

    The process then holds as much as it ever needed at once. Environment variables of the same
    meaning (``MALLOC_TRIM_THRESHOLD_``) are overruled.
    """
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018 - another library's mallopt may mean other things
        done = [library.mallopt(name, NEVER) for name in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD)]
    except (AttributeError, OSError, TypeError):
        return False
    return all(done)
