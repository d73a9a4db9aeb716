"""One backward pass of the batch's loss, for all proxies that read it."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from proxies.axes import Axis, sums
from proxies.conditions import UndefinedError, require_real
from proxies.operations import Bend, Product
from proxies.tape import Tape

__all__ = ["LossGradients", "loss_gradients", "require_weights"]


@dataclass(frozen=True)
class LossGradients:
    """Gradients of the batch's mean cross-entropy L.

    Attributes:
        parameters: ∂L/∂θ by the parameter's name, of those that reach the logits.
        gates: Σ_positions a · ∂L/∂a of each product's output a, (B, channels) by the product's
            number: the derivative over a gate that multiplies a channel of an image. An image's
            tokens are positions. None where it is not known which image a row belongs to, or where
            the product is not what its operation gives.
    """

    parameters: dict[str, Tensor]
    gates: dict[int, Tensor | None]


def loss_gradients(tape: Tape, labels: Tensor) -> LossGradients:
    """Return the gradients of a tape's loss; one backward pass.

    Raises:
        UndefinedError: if no parameter that a product multiplies with reaches the logits.
    """
    require_weights(tape)
    gates: dict[int, Tensor | None] = {}

    def see(product: Product | Bend, gradient: Tensor) -> None:
        assert isinstance(product, Product)
        gates[product.number] = (
            _gates(product, gradient, len(tape.images)) if product.gated else None
        )

    with torch.enable_grad(), tape.watched(tape.products, see):
        loss = cross_entropy(tape.logits, labels)
        found = tape.gradients(loss, tape.parameters.values())
    return LossGradients(dict(zip(tape.parameters, found, strict=True)), gates)


def require_weights(tape: Tape) -> None:
    """Raise UndefinedError if no weights reach the logits, or some parameter is complex."""
    require_real(tape.parameters.items())
    if not tape.weights:
        raise UndefinedError(
            "no convolution or matrix product with parameters reaches the logits: there are no "
            "weights to ask about"
        )


def _gates(product: Product, gradient: Tensor, count: int) -> Tensor | None:
    change = product.output * gradient
    if product.axes.channel is None:  # of a product with a vector
        change = change[..., None]
    channel = product.axes.channel or Axis(change.dim() - 1, 1)
    image = product.axes.sample
    if image is None and len(change) == count and channel.place > 0:
        image = Axis(0, count)
    if image is None or image.size != count:
        return None
    if product.groups == 1:
        return sums(change, [image, channel])
    # A group has weights of its own, and so channels of its own.
    return sums(change, [image, Axis(0, product.groups), channel]).flatten(1)
