"""The modes of torch around the library's own work, and its settings around that of others."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch.nn.modules import module as every_module

__all__ = ["kept_settings", "own_modes"]

HOOKS = (
    "_global_forward_hooks", "_global_forward_pre_hooks", "_global_backward_hooks",
    "_global_backward_pre_hooks",
)  # fmt: skip


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


@contextmanager
def kept_settings() -> Iterator[None]:
    """Put back what the block sets for all of the process, other than draws and autograd's modes.

    These are the default dtype and device, the number of threads, deterministic algorithms,
    whether subnormal numbers are cut to zero, and hooks on every module.
    """
    dtype, device = torch.get_default_dtype(), torch.get_default_device()
    threads, flushed = torch.get_num_threads(), _flushed()
    strict = torch.are_deterministic_algorithms_enabled()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    hooks = {name: set(getattr(every_module, name)) for name in HOOKS}
    try:
        yield
    finally:
        if torch.get_default_device() != device:
            torch.set_default_device(device)
        torch.set_default_dtype(dtype)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        if _flushed() != flushed:
            torch.set_flush_denormal(flushed)
        torch.use_deterministic_algorithms(strict, warn_only=warns)
        for name, were in hooks.items():
            present = getattr(every_module, name)
            for key in present.keys() - were:
                del present[key]


def _flushed() -> bool:
    """Say whether subnormal numbers are cut to zero."""
    return bool(torch.tensor(1e-40, dtype=torch.float32, device="cpu").mul(0.5) == 0)
