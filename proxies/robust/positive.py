"""The receptive field of a network with positive kernels: how far and how smoothly it averages.

Random kernels of both signs pass all frequencies; positive ones are averages, as trained
ones become where a network smooths. So the weights are made positive, |θ|, each layer's divided by
its mean gain (the mean over output channels of Σ |θ|), biases are 0, and normalisations are the
identity: on an image of ones a ReLU then lets everything through. r(p) = Σ_c ∂h/∂x_c(p), with h the
sum over channels, at the centre, of the last feature map whose positions are averaged; without
such an average, of the last feature map that has more than one position.

No images, no labels: the architecture and its weights, in float64.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from proxies.conditions import OptionError, UndefinedError, undefined_where_it_fails
from proxies.effective import effective_copy
from proxies.feature_maps import FeatureMap
from proxies.graph import below
from proxies.loss_gradients import require_weights
from proxies.probe import Probe, Score
from proxies.robust.frequencies import frequencies
from proxies.tape import Tape, record
from testbed.networks.copying import unwrapped
from testbed.networks.precision import in_precision

__all__ = ["positive_leak", "positive_receptive_field"]

NORMS = (_NormBase, nn.GroupNorm, nn.LayerNorm)
NEGATIVE = 1e-9  # of the largest derivative: what rounding may leave


def positive_receptive_field(probe: Probe) -> Score:
    """Return (Σ_p r)² / Σ_p r², the number of pixels that the field would have if it were flat.

    Raises:
        UndefinedError: if the network has no feature map with positions, or none that is reached.
    """
    field = _field(probe)
    return Score(float(field.sum().square() / field.square().sum()))


def positive_leak(probe: Probe, *, cutoff: float = 0.3) -> Score:
    """Return Σ_{|ω| > cutoff} |r̂(ω)|² / |r̂(0)|², r̂ the Fourier transform of r over positions.

    Raises:
        OptionError: if no frequency, in cycles a pixel, is above the cutoff.
        UndefinedError: as `positive_receptive_field`.
    """
    field = _field(probe)
    high = frequencies(*field.shape) > cutoff
    if not cutoff >= 0 or not bool(high.any()):
        raise OptionError(f"no frequency of these images is above the cutoff; got {cutoff}")
    energy = torch.fft.fft2(field).abs().square()
    return Score(float(energy[high].sum() / energy[0, 0]))


def _field(probe: Probe) -> Tensor:
    """Return r, (H, W) in float64 on the CPU."""
    return probe.shared("positive field", lambda: _computed(probe))


def _computed(probe: Probe) -> Tensor:
    network = _without_norms(probe)
    images = torch.ones_like(probe.images[:1], dtype=torch.float64).requires_grad_()
    with undefined_where_it_fails("on an image of ones in float64 without its normalisations"):
        tape = record(network, images)
        require_weights(tape)
        _average(network, tape)
        averaging = record(network, images)
    centre = _centre(_map(averaging), *images.shape[2:])
    (found,) = averaging.gradients(centre.sum(), [averaging.images])
    field = found[0].sum(0).cpu()
    largest = float(field.abs().max())
    if not bool(field.isfinite().all()) or largest == 0:
        raise UndefinedError("nothing leads from the image to the feature map, or it overflows")
    if float(field.min()) < -NEGATIVE * largest:
        raise UndefinedError(
            "a larger pixel makes a feature smaller in spite of positive weights (a difference, an "
            "attention, a normalisation that is a function): the field is no average"
        )
    return field


def _without_norms(probe: Probe) -> nn.Module:
    network = effective_copy(unwrapped(probe.module))
    network = in_precision(network, probe.images.device, torch.float64)
    for layer in network.modules():
        if isinstance(layer, NORMS):
            # Not another layer in its place: others may read this one's attributes.
            vars(layer)["forward"] = _identity
    return network


def _identity(features: Tensor, *_: Any) -> Tensor:
    return features


def _average(network: nn.Module, tape: Tape) -> None:
    """Make the weights positive with a mean gain of 1, and clear the biases, in place."""
    gains = {
        product.weights[0]: product.outputs * product.spread
        for product in reversed(tape.products)
        if len(product.weights) == 1
    }
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name in tape.weights:
                gain = parameter.abs().sum() / gains.get(name, len(parameter))
                parameter.copy_(parameter.abs() / gain)
            elif name.endswith("bias"):
                parameter.zero_()
            elif parameter.is_floating_point():
                parameter.abs_()


def _map(tape: Tape) -> FeatureMap:
    """Return the last map whose positions are averaged, or else the last one with positions."""
    found = tape.pooled[max(tape.pooled)] if tape.pooled else tape.last_map
    if found is not None and not _made(found.features, tape):
        found = None  # the image, whose positions a first product takes all together
    a_map = found is not None and tape.pooled and found.features.dim() > 3
    if found is None or not (a_map or _keeps_positions(tape)):  # tokens of a transformer
        raise UndefinedError(
            "the network has no feature map with positions in front of its logits: there is "
            "no receptive field of one position"
        )
    return found


def _made(features: Tensor, tape: Tape) -> bool:
    """Say whether features are made by a product with weights."""
    nodes, _ = below(features.grad_fn)
    return any(product.number in nodes for product in tape.products)


def _centre(found: FeatureMap, height: int, width: int) -> Tensor:
    """Return the features at the centre, (C,); positions in one row are those of the image."""
    maps = found.by_channel
    if len(maps) != 1:
        raise UndefinedError(
            f"the feature map has {len(maps)} parts for one image, as of patches that are samples: "
            "there is no centre"
        )
    features = maps[0]
    if features.dim() != 3 or 1 in features.shape[1:]:
        features = features.flatten(1)
        count = features.shape[1]
        rows = round(math.sqrt(count * height / width))
        if rows < 1 or count % rows or rows * width != count // rows * height:
            raise UndefinedError(
                f"the {count} positions that are averaged are no rows and columns of an image of "
                f"{height} × {width}: there is no centre"
            )
        features = features.unflatten(1, (rows, -1))
    return features[:, features.shape[1] // 2, features.shape[2] // 2]


def _keeps_positions(tape: Tape) -> bool:
    """Say whether feature maps lead up to the logits: convolutions, and no tokens."""
    kinds = {p.operation == "convolution" for p in tape.products}
    rows = [p.input[..., 0].numel() for p in tape.products if p.operation != "convolution"]
    return True in kinds and max(rows, default=0) <= len(tape.images)
