"""Derivatives of a network as matrices that are never formed.

`jacobian` and `projected_jacobian` give the per-sample Jacobian of the logits with
respect to the images, in reverse mode; `chunks` divides a batch to a memory budget.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

__all__ = ["chunks", "jacobian", "projected_jacobian"]

SMALLEST_CHUNK = 8


def jacobian(network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return logits (B, K) and the Jacobian (B, K, D) of every sample.

    One backward pass a class serves the whole batch, since sample i's logits depend on
    image i alone; where they do not (batch statistics in train mode), row (i, k) is the
    derivative of the sum of all samples' logit k with respect to image i.
    """
    images = images.detach().requires_grad_()
    logits = network(images)
    if not logits.requires_grad:  # no path from the images to the logits
        return logits, images.new_zeros((*logits.shape, images[0].numel()))
    rows = [
        torch.autograd.grad(column.sum(), images, retain_graph=True)[0].flatten(1)
        for column in logits.unbind(1)
    ]
    return logits.detach(), torch.stack(rows, 1)


def projected_jacobian(network: nn.Module, images: Tensor, directions: Tensor) -> Tensor:
    """Return uᵀJ, (P, B, D), for each of P directions in logit space, (P, B, K)."""
    images = images.detach().requires_grad_()
    logits = network(images)
    if not logits.requires_grad:
        return images.new_zeros((len(directions), len(images), images[0].numel()))
    rows = [
        torch.autograd.grad(logits, images, direction, retain_graph=True)[0].flatten(1)
        for direction in directions.to(logits)
    ]
    return torch.stack(rows)


def chunks(network: nn.Module, images: Tensor, memory: int) -> Iterator[Tensor]:
    """Split a batch into nearly equal parts whose graphs fit into ``memory`` bytes each.

    A part has at least four samples, unless the batch itself has fewer: below that, CPU
    kernels change the order of their sums, and a score would depend on the budget.
    """
    affordable = memory // max(1, _graph_bytes(network, images[:1]))
    size = max(SMALLEST_CHUNK, affordable)
    parts = -(-len(images) // size)
    yield from images.tensor_split(parts)


def _graph_bytes(network: nn.Module, image: Tensor) -> int:
    """Return the bytes that a graph of one image keeps for its backward pass."""
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> None:
        # The graph is never walked, so nothing is given back to it: a node that keeps its
        # own output would live for ever.
        if not isinstance(tensor, nn.Parameter):
            kept[tensor.data_ptr()] = tensor.detach()

    with torch.autograd.graph.saved_tensors_hooks(pack, _never_unpacked):
        network(image.detach().requires_grad_())
    return sum(tensor.nbytes for tensor in kept.values())


def _never_unpacked(_: None) -> Tensor:
    raise AssertionError("this graph is measured, not walked")
