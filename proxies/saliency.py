"""Saliency of the weights: what the loss's gradient says of them, without an update.

g = ∂L/∂θ, L the batch's mean cross-entropy. The sums go over weights, which are the parameters
that a convolution or matrix product multiplies with: no biases, no batch norm, and only what
reaches the logits. All sums are in float64.

Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS", ICLR 2021, made these into scores of
networks; Krishnakumar et al., "NAS-Bench-Suite-Zero", NeurIPS 2022, are the protocol's source.
"""

import torch
from torch import Tensor

from proxies.conditions import UndefinedError
from proxies.loss_gradients import require_weights
from proxies.probe import Probe, Score

__all__ = ["fisher", "grad_norm", "l2_norm", "plain", "snip"]


def grad_norm(probe: Probe) -> Score:
    """Return Σ_l ‖g_l‖, a sum of the layers' norms, not the norm of all."""
    return _sum([gradient.norm() for _, gradient in _pairs(probe)])


def snip(probe: Probe) -> Score:
    """Return Σ |θ ∘ g| (Lee, Ajanthan and Torr 2019), not normalised."""
    return _sum([(weight * gradient).abs().sum() for weight, gradient in _pairs(probe)])


def plain(probe: Probe) -> Score:
    """Return Σ θ ∘ g: what the loss would lose, to first order, by scaling the weights.

    A convolution before a batch norm in train mode does not change with its scale, so that its
    part is 0 up to the batch norm's ε: in mode ``batch`` the score is the classifier's.
    """
    return _sum([(weight * gradient).sum() for weight, gradient in _pairs(probe)])


def l2_norm(probe: Probe) -> Score:
    """Return Σ_l ‖θ_l‖ of the layers' weights; no images and no labels matter."""
    require_weights(probe.tape)
    return _sum([weight.detach().double().norm() for weight in probe.tape.weights.values()])


def fisher(probe: Probe) -> Score:
    """Return Σ_products Σ_channels ½ mean_i (Σ_positions a · ∂L/∂a)² · (weights of a channel).

    a is the output of a convolution or matrix product, i an image of the batch; the tokens of an
    image are positions. Turner et al. 2020 score a channel by
    ½ mean_i (…)² with L the batch's mean loss; counting it once for each of its weights,
    C_in k², is what the public code does when it gives the channel's value to every weight.
    """
    tape, total = probe.tape, []
    gates = probe.loss_gradients.gates
    for product in tape.products:
        if product.number not in gates:
            continue
        own = gates[product.number]
        if not product.gated:
            raise UndefinedError(
                f"a product with {product.weights[0]} is inside a torch.autograd.Function that "
                "goes on with it: the derivative over its channels is known to the function only"
            )
        if own is None:
            raise UndefinedError(
                f"it cannot be told which image a row of a product with {product.weights[0]} "
                "belongs to: a channel has no gate of its own in each image"
            )
        squares = own.double().square().mean(0) / 2  # (channels,)
        weights = sum(tape.weights[name].numel() for name in product.weights) / len(squares)
        total.append(squares.sum() * weights)
    return _sum(total)


def _pairs(probe: Probe) -> list[tuple[Tensor, Tensor]]:
    """Return (θ_l, g_l) of the weights, in float64."""
    gradients = probe.loss_gradients.parameters
    return [
        (weight.detach().double(), gradients[name].double())
        for name, weight in probe.tape.weights.items()
    ]


def _sum(parts: list[Tensor]) -> Score:
    total = torch.stack(parts).sum() if parts else torch.zeros(())
    if not bool(total.isfinite()):
        raise UndefinedError("weights or gradients are not finite numbers")
    return Score(float(total))
