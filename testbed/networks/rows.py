"""From how many rows on a matrix product adds up in one order, whatever their number."""

from functools import cache

import torch
from torch import nn
from torch.nn.functional import linear

__all__ = ["MANY", "least_rows"]

FEW, MANY = 4, 16
LARGE = 2**20  # entries of a weight from where on it is not worth trying


def least_rows(network: nn.Module) -> int:
    """Return from how many rows on a network's last bits do not depend on their number.

    Convolutions treat image by image; matrix products choose their kernel by the number of rows,
    on some CPUs (AVX2, AVX-512) below 4 rows only, on others (those with AMX) below 16 for many
    shapes. So each shape of a weight is tried once a process. It holds on one thread.
    """
    shapes = {tuple(p.shape) for p in network.parameters() if p.dim() == 2}
    dtypes = {p.dtype for p in network.parameters() if p.is_floating_point()}
    needed = [_tried(*shape, dtype) for shape in shapes for dtype in dtypes]
    return max(needed, default=FEW)


@cache
def _tried(outputs: int, inputs: int, dtype: torch.dtype) -> int:
    if outputs * inputs > LARGE:
        return MANY
    source = torch.Generator().manual_seed(0)
    weight = torch.randn((outputs, inputs), generator=source).to(dtype)
    rows = torch.randn((MANY, inputs), generator=source).to(dtype)
    with torch.no_grad():
        reference = linear(rows, weight)
        same = (
            torch.equal(linear(rows[:count], weight), reference[:count])
            for count in range(FEW, MANY)
        )
        return FEW if all(same) else MANY
