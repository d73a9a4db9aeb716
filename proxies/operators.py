"""Derivatives of a network as matrices that are never formed.

``JacobianRows`` gives the per-sample Jacobian of the logits with respect to the
images; ``InputHessian`` and ``ParameterHessian`` multiply the Hessian of the
cross-entropy with a vector. They take a network in eval mode (samples are
independent), know no norm and no eigenvalue, and are `estimators.Matvec`.

The mathematics is reverse mode throughout. A Hessian product differentiates the
gradient's graph, which is built once and kept: the first-order pass is paid once
and not once a product, as with ``jvp(grad)``, which takes 1.5 to 2 times as long.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from testbed.networks.folding import FoldedFunction

__all__ = ["InputHessian", "ParameterHessian", "chunks", "jacobian", "projected_jacobian"]


def jacobian(network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return logits (B, K) and the Jacobian (B, K, D) of every sample.

    One backward pass a class serves the whole batch, since sample i's logits depend on
    image i alone; where they do not (batch statistics in train mode), row (i, k) is the
    derivative of the sum of all samples' logit k with respect to image i.
    """
    images = images.detach().requires_grad_()
    logits = network(images)
    rows = images.new_zeros((*logits.shape, images[0].numel()))
    if logits.requires_grad:  # else no path leads from the images to the logits
        for number, column in enumerate(logits.unbind(1)):
            rows[:, number] = _gradient(column.sum(), images).flatten(1)
    return logits.detach(), rows


def projected_jacobian(network: nn.Module, images: Tensor, directions: Tensor) -> Tensor:
    """Return uᵀJ, (P, B, D), for each of P directions in logit space, (P, B, K)."""
    images = images.detach().requires_grad_()
    logits = network(images)
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


class InputHessian:
    """Products with the Hessian of each sample's cross-entropy over its own image.

    Row i of ``operator(V)``, V of shape (B, D), is H_i v_i.
    """

    def __init__(self, network: nn.Module, images: Tensor, labels: Tensor) -> None:
        self.images = images.detach().requires_grad_()
        loss = cross_entropy(network(self.images), labels, reduction="sum")
        self.gradient: Tensor | None = None
        if loss.requires_grad:
            (self.gradient,) = torch.autograd.grad(loss, self.images, create_graph=True)

    @property
    def shape(self) -> tuple[int, int]:
        """(B, D): one operator a sample, of the image's dimension."""
        return len(self.images), self.images[0].numel()

    def __call__(self, vectors: Tensor) -> Tensor:
        """Return the products, (B, D)."""
        if self.gradient is None or not self.gradient.requires_grad:  # the loss is linear
            return torch.zeros_like(vectors)
        (product,) = torch.autograd.grad(
            self.gradient,
            self.images,
            vectors.view_as(self.images),
            retain_graph=True,
            materialize_grads=True,
        )
        return product.flatten(1)


class ParameterHessian:
    """Products with the Hessian of the batch's mean cross-entropy over all parameters.

    Parameters that do not reach the loss have a zero row and column and are left out, so
    the operator is 1 × P with P the number of the others, in the order of
    ``network.named_parameters()``. Batch-norm statistics are constants.
    """

    def __init__(self, network: nn.Module, images: Tensor, labels: Tensor) -> None:
        function = FoldedFunction(network)
        parameters = {
            name: _channels_last(parameter.detach()).requires_grad_()
            for name, parameter in network.named_parameters()
        }
        loss = cross_entropy(function(parameters, _channels_last(images)), labels)
        gradients = torch.autograd.grad(
            loss, list(parameters.values()), create_graph=True, allow_unused=True
        )
        pairs = [
            (parameter, gradient)
            for parameter, gradient in zip(parameters.values(), gradients, strict=True)
            if gradient is not None
        ]
        self.parameters = [parameter for parameter, _ in pairs]
        self.gradients = [gradient for _, gradient in pairs]

    @property
    def shape(self) -> tuple[int, int]:
        """(1, P): one operator, of the number of parameters that reach the loss."""
        return 1, sum(parameter.numel() for parameter in self.parameters)

    def __call__(self, vectors: Tensor) -> Tensor:
        """Return the product, (1, P)."""
        sizes = [parameter.numel() for parameter in self.parameters]
        pieces = vectors[0].split(sizes)
        live = [i for i, gradient in enumerate(self.gradients) if gradient.requires_grad]
        products = torch.autograd.grad(
            [self.gradients[i] for i in live],
            self.parameters,
            [pieces[i].view_as(self.parameters[i]) for i in live],
            retain_graph=True,
            materialize_grads=True,
        )
        return torch.cat([product.flatten() for product in products])[None]


def _channels_last(tensor: Tensor) -> Tensor:
    if tensor.dim() != 4:
        return tensor.clone()
    return tensor.clone(memory_format=torch.channels_last)
