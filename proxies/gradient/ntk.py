"""The neural tangent kernel of the batch.

Chen, Gong and Wang, "Neural Architecture Search on ImageNet in Four GPU Hours (TE-NAS)",
ICLR 2021.
"""

import torch
from torch import Tensor

from proxies.conditions import UndefinedError
from proxies.part_gradients import part_gradients, require_images, sum_of_logits
from proxies.probe import Probe, Score

__all__ = ["ntk_cond", "tangent_kernel"]


def ntk_cond(probe: Probe) -> Score:
    """Return κ = λ_max / λ_min of Θ_ij = ⟨∂ Σ_k f_k(x_i)/∂θ, ∂ Σ_k f_k(x_j)/∂θ⟩ over the weights.

    A small κ promises a network that trains well. The authors' code takes every parameter named
    ``weight``, those of batch norms included, in train mode, and the eigenvalues of a rounded
    matrix, which may be negative. Here a kernel that is singular within the rounding of its
    largest eigenvalue has no condition number.

    Raises:
        UndefinedError: if the kernel is singular, or there are less than two images.
    """
    require_images(probe, 2, "a condition number compares images")
    values = torch.linalg.eigvalsh(tangent_kernel(probe))
    smallest, largest = float(values[0]), float(values[-1])
    if not smallest > largest * 1e-10:
        raise UndefinedError(
            f"the tangent kernel is singular: its eigenvalues go from {smallest:.3g} to "
            f"{largest:.3g}"
        )
    return Score(largest / smallest, details={"largest": largest, "smallest": smallest})


def tangent_kernel(probe: Probe) -> Tensor:
    """Return Θ, (B, B) in float64, of the summed logits over the weights."""
    return probe.shared("tangent kernel", lambda: _kernel(probe))


def _kernel(probe: Probe) -> Tensor:
    count = len(probe.images)
    kernel = torch.zeros((count, count), dtype=torch.float64)
    for group in part_gradients(probe, count, sum_of_logits):
        for rows in group.values():
            for block in rows.split(2**22, 1):
                exact = block.double()
                kernel += (exact @ exact.mT).cpu()
    return kernel
