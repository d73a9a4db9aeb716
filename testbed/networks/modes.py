"""The modes of torch around the library's own work: derivatives are taken in any of them."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

__all__ = ["own_modes"]


@contextmanager
def own_modes(device: torch.device | str = "cpu") -> Iterator[None]:
    """Switch the caller's ``no_grad``, ``inference_mode`` and ``autocast`` off inside the block.

    Under the first two a gradient is silently zero, under the third a float32 network computes
    in half precision. The caller's modes are as before afterwards.
    """
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for kind in {"cpu", torch.device(device).type}:
            stack.enter_context(torch.autocast(kind, enabled=False))
        yield
