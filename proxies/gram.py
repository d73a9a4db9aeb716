"""The Gram matrix J Jᵀ of every sample, from which the exact scores of the Jacobian follow."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from proxies.conditions import require_derivative, require_independence
from proxies.operators import jacobian

if TYPE_CHECKING:
    from proxies.probe import Probe

__all__ = ["Gram", "gram"]

BLOCK = 2**22  # entries of a Jacobian that stand in float64 at a time


class Gram(NamedTuple):
    """The Gram matrices of the Jacobians of a batch, in float64 on the CPU.

    Attributes:
        logits: the logits of the samples, (B, K).
        products: J Jᵀ of each sample, (B, K, K), with J = ∂ logits / ∂ image, (K, D).
    """

    logits: Tensor
    products: Tensor

    @property
    def masked(self) -> bool:
        """Say whether all Jacobians are exactly zero although the logits differ between images."""
        return bool((self.products == 0).all()) and bool((self.logits != self.logits[:1]).any())


def gram(probe: Probe) -> Gram:
    """Return the Gram matrices of a probe's batch.

    Raises:
        UndefinedError: if the samples have no Jacobians of their own.
    """
    require_derivative(probe)
    network, classes = probe.fast.network, probe.fast.classes
    parts = probe.parts(classes * probe.images[0].nbytes)
    logits, products = torch.empty(0), []
    for images in parts:
        logits, rows = jacobian(network, images)
        products += [_product(sample) for sample in rows]
    if len(parts) > 1:
        # The last bits of a matrix product depend on its number of rows, so the logits are
        # those of the whole batch however it was divided.
        with torch.no_grad():
            logits = network(torch.cat(parts))
    require_independence(probe, logits)
    return Gram(logits.detach().double().cpu(), torch.stack(products))


def _product(rows: Tensor) -> Tensor:
    """Return J Jᵀ, (K, K) in float64, of one sample's J, (K, D)."""
    width = max(1, BLOCK // len(rows))
    total = rows.new_zeros((len(rows), len(rows)), dtype=torch.float64)
    for block in rows.split(width, 1):
        exact = block.double()
        total += exact @ exact.mT
    return total.cpu()
