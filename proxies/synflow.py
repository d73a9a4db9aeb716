"""Synaptic flow: how much of an image of ones reaches the logits through weights made positive.

Tanaka et al., "Pruning Neural Networks without Any Data by Iteratively Conserving Synaptic
Flow", NeurIPS 2020, equation 5, summed over the weights.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from proxies.conditions import UndefinedError, undefined_where_it_fails
from proxies.effective import effective_copy
from proxies.loss_gradients import require_weights
from proxies.probe import Probe, Score
from proxies.tape import record
from testbed.networks.copying import unwrapped
from testbed.networks.precision import in_precision

__all__ = ["positive_copy", "synflow"]


def synflow(probe: Probe) -> Score:
    """Return log Σ θ ∘ ∂R/∂θ over the weights, with R = Σ_k f_k(1; |θ|).

    Every parameter is made positive, batch norms become the identity, the image is one of ones,
    all in float64, where the sum of a NAS-Bench-201 network is of the order of 1e60. The
    logarithm is what NAS-Bench-Suite-Zero tabulates; the ranking is that of the sum.

    Raises:
        UndefinedError: if the network has no double precision, or the sum is 0 or overflows.
    """
    network = positive_copy(probe.module, probe.images.device)
    image = torch.ones_like(probe.images[:1], dtype=torch.float64)
    with undefined_where_it_fails("on an image of ones in float64 without its batch norms"):
        tape = record(network, image)
    require_weights(tape)
    with torch.enable_grad():
        flow = tape.logits.sum()
        gradients = tape.gradients(flow, tape.weights.values())
    parts = [
        (weight.detach() * gradient).sum()
        for weight, gradient in zip(tape.weights.values(), gradients, strict=True)
    ]
    total = float(torch.stack(parts).sum())
    if not math.isfinite(total):
        raise UndefinedError("the sum is larger than float64 can tell (1.8e308)")
    if total <= 0:
        raise UndefinedError(f"no flow reaches the logits: the sum is {total:.3g}")
    return Score(math.log(total))


def positive_copy(module: nn.Module, device: torch.device) -> nn.Module:
    """Return a copy in float64 with parameters |θ| and without batch norms, in eval mode."""
    network = in_precision(effective_copy(unwrapped(module)), device, torch.float64)
    for parent in list(network.modules()):
        for name, layer in parent.named_children():
            if isinstance(layer, _NormBase):
                setattr(parent, name, nn.Identity())
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(_positive(parameter))
    return network


def _positive(parameter: Tensor) -> Tensor:
    return parameter.abs() if parameter.is_floating_point() else parameter
