"""The precision that a network computes in."""

import torch
from torch import nn

__all__ = ["in_precision"]


def in_precision(network: nn.Module, device: torch.device | str, dtype: torch.dtype) -> nn.Module:
    """Move a network to a device, with numbers of a precision, in place; return it.

    ``network.to`` makes real numbers of complex ones, without their imaginary parts, which is
    another function: here they stay complex, of that precision.
    """
    values = [*network.parameters(), *network.buffers()]
    if not any(value.is_complex() for value in values):
        return network.to(device, dtype)
    complexes = dtype.to_complex()

    def moved(value: torch.Tensor) -> torch.Tensor:
        if value.is_complex():
            return value.to(device, complexes)
        return value.to(device, dtype if value.is_floating_point() else None)

    return network._apply(moved)
