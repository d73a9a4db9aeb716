"""One backward pass of the batch's loss, for all proxies that read it."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from proxies.conditions import UndefinedError
from proxies.tape import Bend, Product, Tape

__all__ = ["LossGradients", "loss_gradients", "require_weights"]


@dataclass(frozen=True)
class LossGradients:
    """Gradients of the batch's mean cross-entropy L.

    Attributes:
        parameters: ∂L/∂θ by the parameter's name, of those that reach the logits.
        gates: Σ_positions a · ∂L/∂a of each product's output a, (B, channels) by the product's
            number: the derivative over a gate that multiplies a channel of an image. An image's
            tokens are positions. Where rows belong to no single image, each stands for itself.
    """

    parameters: dict[str, Tensor]
    gates: dict[int, Tensor]


def loss_gradients(tape: Tape, labels: Tensor) -> LossGradients:
    """Return the gradients of a tape's loss; one backward pass, two where images have tokens.

    Raises:
        UndefinedError: if no parameter that a product multiplies with reaches the logits.
    """
    require_weights(tape)
    gates: dict[int, Tensor] = {}

    def see(product: Product | Bend, gradient: Tensor) -> None:
        change = product.output * gradient
        spatial = isinstance(product, Product) and product.operation == "convolution"
        gates[product.number] = (
            change.flatten(2).sum(2) if spatial else change.flatten(0, -2)
        )  # (B or rows, channels)

    with torch.enable_grad(), tape.watched(tape.products, see):
        loss = cross_entropy(tape.logits, labels)
        found = tape.gradients(loss, tape.parameters.values())
    if any(len(rows) != len(tape.images) for rows in gates.values()):
        gates = _by_image(tape, gates)
    return LossGradients(dict(zip(tape.parameters, found, strict=True)), gates)


def require_weights(tape: Tape) -> None:
    """Raise UndefinedError if no weights reach the logits."""
    if not tape.weights:
        raise UndefinedError(
            "no convolution or matrix product with parameters reaches the logits: there are no "
            "weights to ask about"
        )


def _by_image(tape: Tape, gates: dict[int, Tensor]) -> dict[int, Tensor]:
    """Return the gates with the rows of an image added up, whichever way they are ordered."""
    count, first = len(tape.images), {}
    many = [p for p in tape.products if len(gates.get(p.number, tape.images)) != count]

    def see(product: Product | Bend, gradient: Tensor) -> None:
        first[product.number] = gradient.flatten(0, -2).abs().sum(1) > 0

    with torch.enable_grad(), tape.watched(many, see):
        tape.gradients(tape.logits[0].sum(), [tape.images])
    joined = dict(gates)
    for number, rows in first.items():
        tokens, rest = divmod(len(rows), count)
        if rest or not tokens or number not in gates:
            continue
        own = gates[number].unflatten(0, (count, tokens))
        if not bool(rows[tokens:].any()):  # image by image
            joined[number] = own.sum(1)
        elif not bool(rows.view(tokens, count)[:, 1:].any()):  # token by token
            joined[number] = gates[number].unflatten(0, (tokens, count)).sum(0)
    return joined
