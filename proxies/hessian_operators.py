"""Hessians of the cross-entropy, over the images or over the parameters, never formed.

Both take a network in eval mode (samples are independent), know no norm and no
eigenvalue, and are `estimators.Matvec`. A product differentiates the gradient's
graph, which is built once and kept: the first-order pass is paid once and not
once a product, as with ``jvp(grad)``, which takes 1.5 to 2 times as long.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from proxies.double_backward import lean_double_backward
from proxies.second_order import explained, require, twice_differentiable
from testbed.networks.copying import working_copy
from testbed.networks.folding import FoldedFunction
from testbed.networks.strides import safe_strides

__all__ = ["InputHessian", "ParameterHessian"]


class InputHessian:
    """Products with the Hessian of each sample's cross-entropy over its own image.

    Row i of ``operator(V)``, V of shape (B, D), is H_i v_i.

    Raises:
        NoSecondDerivativeError: if torch cannot differentiate the network twice; in rare cases
            by the first product only.
    """

    def __init__(self, network: nn.Module, images: Tensor, labels: Tensor) -> None:
        self.images = images.detach().requires_grad_()
        with torch.enable_grad():
            with twice_differentiable():
                loss = cross_entropy(network(self.images), labels, reduction="sum")
            self._gradient = _gradients(loss, [self.images])[0]

    @property
    def shape(self) -> tuple[int, int]:
        """Return (B, D): one operator for each sample, of the image's dimension."""
        return len(self.images), self.images[0].numel()

    @property
    def gradient(self) -> Tensor:
        """Return the gradients of the samples' losses over their images, (B, D)."""
        if self._gradient is None:
            return torch.zeros_like(self.images.detach()).flatten(1)
        return self._gradient.detach().flatten(1)

    def __call__(self, vectors: Tensor) -> Tensor:
        """Return the products with vectors (B, D), of the same shape."""
        (product,) = _products([self._gradient], [self.images], [vectors.view_as(self.images)])
        return product.flatten(1)


class ParameterHessian:
    """Products with the Hessian of the batch's mean cross-entropy over all parameters.

    Parameters that do not reach the loss have a zero row and column and are left out, so
    the operator is 1 × P with P the number of the others, in the order of
    ``network.named_parameters()``; one that several layers share counts once, a frozen one
    like any other. Batch-norm statistics are constants.

    Args:
        network: the network, in eval mode; it is copied.
        images: the batch, (B, C, H, W).
        labels: the class numbers, (B,).
        fold: whether batch norms are evaluated inside the convolutions before them, see
            `FoldedFunction`.
        channels_last: whether to compute in channels-last order. Like ``fold``, this changes
            the operator by rounding only; a caller can verify that by comparing `gradient`
            with that of the plain copy.

    Raises:
        NoSecondDerivativeError: if torch cannot differentiate the network twice; in rare cases
            by the first product only.
    """

    def __init__(
        self,
        network: nn.Module,
        images: Tensor,
        labels: Tensor,
        *,
        fold: bool = True,
        channels_last: bool = True,
    ) -> None:
        order = torch.channels_last if channels_last else torch.contiguous_format
        images = _in_order(images.detach(), order)
        with torch.enable_grad():
            with twice_differentiable(), lean_double_backward(), safe_strides():
                logits, leaves = _evaluated(network, images, fold, order)
                loss = cross_entropy(logits, labels)
            gradients = _gradients(loss, list(leaves.values()))
        reached = {n: g for n, g in zip(leaves, gradients, strict=True) if g is not None}
        self.named_parameters = {name: leaves[name] for name in reached}
        self.gradients = list(reached.values())
        self.dtype, self.device = loss.dtype, loss.device

    @property
    def parameters(self) -> list[Tensor]:
        """Return the parameters that reach the loss."""
        return list(self.named_parameters.values())

    @property
    def shape(self) -> tuple[int, int]:
        """Return (1, P): one operator, of the number of parameters that reach the loss."""
        return 1, sum(parameter.numel() for parameter in self.parameters)

    @property
    def gradient(self) -> Tensor:
        """Return the gradient of the loss over the parameters, (1, P)."""
        return self._row([gradient.detach() for gradient in self.gradients])

    def __call__(self, vectors: Tensor) -> Tensor:
        """Return the product with a vector (1, P), of the same shape."""
        pieces = vectors[0].split([parameter.numel() for parameter in self.parameters])
        shaped = [v.view_as(p) for v, p in zip(pieces, self.parameters, strict=True)]
        return self._row(_products(self.gradients, self.parameters, shaped))

    def _row(self, tensors: Sequence[Tensor]) -> Tensor:
        none = torch.zeros(0, dtype=self.dtype, device=self.device)
        return torch.cat([none, *(tensor.flatten() for tensor in tensors)])[None]


def _evaluated(
    network: nn.Module, images: Tensor, fold: bool, order: torch.memory_format
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the logits of a copy of the network and the leaves by name."""
    if fold and _may_fold(network):
        leaves: dict[str, Tensor] = {
            name: _in_order(parameter.detach(), order).requires_grad_(_moves(parameter))
            for name, parameter in network.named_parameters()
        }
        logits = FoldedFunction(network)(leaves, images)
        return logits, {name: leaf for name, leaf in leaves.items() if leaf.requires_grad}
    network = working_copy(network)
    parameters: dict[str, Tensor] = {
        name: parameter for name, parameter in network.named_parameters() if _moves(parameter)
    }
    for parameter in parameters.values():
        parameter.data = _in_order(parameter.data, order)
        parameter.requires_grad_()
    return network(images), parameters


def _may_fold(network: nn.Module) -> bool:
    # A weight that another layer shares must not be scaled by a batch norm.
    names = [name for name, _ in network.named_parameters(remove_duplicate=False)]
    return len(names) == len(list(network.parameters()))


def _moves(parameter: Tensor) -> bool:
    return parameter.is_floating_point()


def _in_order(tensor: Tensor, order: torch.memory_format) -> Tensor:
    if tensor.dim() != 4:
        return tensor.clone()
    return tensor.clone(memory_format=order)


def _gradients(loss: Tensor, leaves: list[Tensor]) -> list[Tensor | None]:
    """Return the gradients with their graphs; None where a leaf does not reach the loss."""
    if not loss.requires_grad or not leaves:
        return [None] * len(leaves)
    gradients = torch.autograd.grad(loss, leaves, create_graph=True, allow_unused=True)
    require(gradient for gradient in gradients if gradient is not None)
    return list(gradients)


def _products(
    gradients: Sequence[Tensor | None], leaves: Sequence[Tensor], vectors: Sequence[Tensor]
) -> list[Tensor]:
    """Return the derivatives of Σ ⟨gradient, vector⟩; zeros where the loss is linear."""
    curved = [
        (gradient, vector)
        for gradient, vector in zip(gradients, vectors, strict=True)
        if gradient is not None and gradient.requires_grad
    ]
    if not curved:
        return [torch.zeros_like(leaf) for leaf in leaves]
    with explained():
        rows = torch.autograd.grad(
            [gradient for gradient, _ in curved],
            leaves,
            [vector for _, vector in curved],
            retain_graph=True,
            materialize_grads=True,
        )
    return list(rows)
