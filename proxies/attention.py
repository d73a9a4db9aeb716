"""Attention as a series of operations that can be watched."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

__all__ = ["attention_in_steps"]


@contextmanager
def attention_in_steps() -> Iterator[None]:
    """Let attention and transformer layers run as products, a softmax and so on.

    Without gradients torch runs an encoder layer in eval mode as one operation, which hides its
    products and non-linearities from whoever listens to what is executed.
    """
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
