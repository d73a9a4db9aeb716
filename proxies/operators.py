"""Derivatives of a network as matrices that are never formed.

`jacobian` and `projected_jacobian` give the per-sample Jacobian of the logits with
respect to the images, in reverse mode; `chunks` divides a batch to a memory budget.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from testbed.networks.logits import check_logits

__all__ = ["chunks", "jacobian", "projected_jacobian"]


def jacobian(network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return logits (B, K) and the Jacobian (B, K, D) of every sample.

    One backward pass a class serves the whole batch, since sample i's logits depend on
    image i alone; where they do not (batch statistics in train mode), row (i, k) is the
    derivative of the sum of all samples' logit k with respect to image i.
    """
    images = images.detach().requires_grad_()
    logits = check_logits(network(images), len(images))
    rows = images.new_zeros((*logits.shape, images[0].numel()))
    if logits.requires_grad:  # else no path leads from the images to the logits
        for number, column in enumerate(logits.unbind(1)):
            rows[:, number] = _gradient(column.sum(), images).flatten(1)
    return logits.detach(), rows


def projected_jacobian(network: nn.Module, images: Tensor, directions: Tensor) -> Tensor:
    """Return uᵀJ, (P, B, D), for each of P directions in logit space, (P, B, K)."""
    images = images.detach().requires_grad_()
    logits = check_logits(network(images), len(images))
    rows = images.new_zeros((len(directions), len(images), images[0].numel()))
    if logits.requires_grad:
        for number, direction in enumerate(directions.to(logits)):
            rows[number] = _gradient((logits * direction).sum(), images).flatten(1)
    return rows


def _gradient(value: Tensor, images: Tensor) -> Tensor:
    return torch.autograd.grad(value, images, retain_graph=True, materialize_grads=True)[0]


def chunks(images: Tensor, affordable: int, smallest: int) -> Iterator[Tensor]:
    """Split a batch into nearly equal parts of at most ``affordable`` images.

    A part has at least ``smallest`` samples, unless the batch itself has fewer: below some
    number, CPU kernels change the order of their sums, and a score would depend on the budget.
    """
    parts = -(-len(images) // max(1, affordable))
    yield from images.tensor_split(max(1, min(parts, len(images) // smallest)))
