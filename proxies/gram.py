"""The Gram matrix J Jᵀ of every sample, from which the exact scores of the Jacobian follow."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from proxies.conditions import require_independence
from proxies.input_gradients import batch_logits
from proxies.jacobian_rows import jacobian_rows

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
    products = [_product(sample) for _, rows in jacobian_rows(probe) for sample in rows]
    # The last bits of a matrix product depend on its number of rows, so the logits are those of
    # the whole batch however it was divided.
    logits = batch_logits(probe)
    require_independence(probe, logits)
    return Gram(logits.double().cpu(), torch.stack(products))


def _product(rows: Tensor) -> Tensor:
    """Return J Jᵀ, (K, K) in float64, of one sample's J, (K, D)."""
    width = max(1, BLOCK // len(rows))
    total = rows.new_zeros((len(rows), len(rows)), dtype=torch.float64)
    for block in rows.split(width, 1):
        exact = block.double()
        total += exact @ exact.mT
    return total.cpu()
