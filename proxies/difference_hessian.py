"""Products with a Hessian from first derivatives alone, where torch has no second ones.

H v ≈ (g(θ + h u) − g(θ − h u)) ‖v‖ / 2h with u = v / ‖v‖, in float64 where the network can be
cast. Two gradients a product, where a double backward costs about as much. The step
h = ε^⅓ (6e-6 in float64, 5e-3 in float32) balances the two errors: h²/6 times the third
derivative along u, and ε ‖g‖ / h (4e-11 ‖g‖, 2e-5 ‖g‖) of rounding. Across a kink, such as a
ReLU's, the difference sees the jump of the gradient, which the Hessian does not.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from testbed.networks.copying import forget_caches, working_copy
from testbed.networks.memory import not_of_memory

__all__ = ["DifferenceInputHessian", "DifferenceParameterHessian"]


class DifferenceInputHessian:
    """Products with the Hessian of each sample's cross-entropy over its own image.

    The interface and the arguments are those of `InputHessian`.
    """

    def __init__(self, network: nn.Module, images: Tensor, labels: Tensor) -> None:
        self.network, self.images = _precise(network, images.detach())
        self.labels, self.dtype = labels, images.dtype

    @property
    def shape(self) -> tuple[int, int]:
        """Return (B, D): one operator for each sample, of the image's dimension."""
        return len(self.images), self.images[0].numel()

    @property
    def gradient(self) -> Tensor:
        """Return the gradients of the samples' losses over their images, (B, D)."""
        return self._gradient(self.images).to(self.dtype)

    def __call__(self, vectors: Tensor) -> Tensor:
        """Return the products with vectors (B, D), of the same shape."""
        step = _step(self.images)
        length, unit = _split(vectors.to(self.images))
        shift = step * unit.view_as(self.images)
        ahead, behind = self._gradient(self.images + shift), self._gradient(self.images - shift)
        return ((ahead - behind) * (length / (2 * step))).to(vectors)

    def _gradient(self, images: Tensor) -> Tensor:
        images = images.detach().requires_grad_()
        with torch.enable_grad():
            loss = cross_entropy(self.network(images), self.labels, reduction="sum")
        if not loss.requires_grad:
            return torch.zeros_like(images).flatten(1)
        (row,) = torch.autograd.grad(loss, images, allow_unused=True, materialize_grads=True)
        return row.flatten(1)


class DifferenceParameterHessian:
    """Products with the Hessian of the batch's mean cross-entropy over all parameters.

    The interface and the order of the parameters are those of `ParameterHessian`.
    """

    def __init__(self, network: nn.Module, images: Tensor, labels: Tensor) -> None:
        self.network, self.images = _precise(network, images.detach())
        self.labels, self.dtype = labels, images.dtype
        moving = {n: p for n, p in self.network.named_parameters() if p.is_floating_point()}
        for parameter in moving.values():
            parameter.requires_grad_()
        rows = self._rows(list(moving.values()))
        self.named_parameters: dict[str, nn.Parameter] = {
            name: moving[name] for name, row in zip(moving, rows, strict=True) if row is not None
        }
        self.parameters = list(self.named_parameters.values())
        self.centre = [parameter.detach().clone() for parameter in self.parameters]

    @property
    def shape(self) -> tuple[int, int]:
        """Return (1, P): one operator, of the number of parameters that reach the loss."""
        return 1, sum(parameter.numel() for parameter in self.parameters)

    @property
    def gradient(self) -> Tensor:
        """Return the gradient of the loss over the parameters, (1, P)."""
        return self._gradient(self.images.new_zeros(self.shape)).to(self.dtype)

    def __call__(self, vectors: Tensor) -> Tensor:
        """Return the product with a vector (1, P), of the same shape."""
        step = _step(self.images)
        length, unit = _split(vectors.to(self.images))
        ahead, behind = self._gradient(step * unit), self._gradient(-step * unit)
        return ((ahead - behind) * (length / (2 * step))).to(vectors)

    def _gradient(self, shift: Tensor) -> Tensor:
        """Return the gradient at the parameters plus a shift, (1, P)."""
        pieces = shift[0].split([parameter.numel() for parameter in self.parameters])
        with torch.no_grad():
            for parameter, centre, piece in zip(self.parameters, self.centre, pieces, strict=True):
                parameter.copy_(centre + piece.view_as(centre))
        rows = [row for row in self._rows(self.parameters) if row is not None]
        return torch.cat([self.images.new_zeros(0), *(row.flatten() for row in rows)])[None]

    def _rows(self, parameters: list[nn.Parameter]) -> list[Tensor | None]:
        forget_caches(self.network)  # of parameters that have moved since
        with torch.enable_grad():
            loss = cross_entropy(self.network(self.images), self.labels)
        if not loss.requires_grad or not parameters:
            return [None] * len(parameters)
        return list(torch.autograd.grad(loss, parameters, allow_unused=True))


def _precise(network: nn.Module, images: Tensor) -> tuple[nn.Module, Tensor]:
    """Return a copy of the network and the images in float64, or unchanged if that fails."""
    try:
        precise = working_copy(network).double()
        with torch.no_grad():
            precise(images[:1].double())
    except Exception as error:  # constants of another precision, a device without float64
        not_of_memory(error)
        return working_copy(network), images
    return precise, images.double()


def _step(like: Tensor) -> float:
    return torch.finfo(like.dtype).eps ** (1 / 3)


def _split(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Return the lengths of the rows, (N, 1), and their directions; that of a zero row is zero."""
    length = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    return length, torch.where(length > 0, vectors / length, 0)
