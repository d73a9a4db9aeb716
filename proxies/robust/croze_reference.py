"""CRoZe as its authors' code has it, which is another score than the paper's formula.

Ha, Kim and Hwang, "Generalizable Lightweight Proxy for Robust NAS against Diverse Perturbations",
NeurIPS 2023, arXiv:2306.05031; the code is ``zero_cost_methods/pruners/measures/croze.py`` of
HyeonjeongHa/CRoZe. `proxies.robust.croze` is the paper's.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, cross_entropy

from proxies.axes import sample_first
from proxies.conditions import OptionError, UndefinedError, undefined_where_it_fails
from proxies.loss_gradients import require_weights
from proxies.operations import Product
from proxies.probe import Probe, Score
from proxies.synflow import positive_copy
from proxies.tape import record
from testbed.networks.copying import working_copy
from testbed.networks.normalise import behind_normalisation
from testbed.spaces.nasbench201.network import Cell, Network

__all__ = ["croze_reference"]

OWN_FEATURES = (
    "layers are paired with their own features: pairing them by the number of the cell is defined "
    "for NAS-Bench-201 networks only"
)


@dataclass(frozen=True)
class _View:
    """Of one pass: weights and gradients by name, the features a weight is paired with, ∂L/∂x."""

    weights: dict[str, Tensor]
    gradients: dict[str, Tensor]
    features: Mapping[str, Tensor]
    image: Tensor


def croze_reference(probe: Probe, *, beta: float = 2.0, step: float = 0.01) -> Score:
    """Return Σ_l [Σ (1 + cos(θ_l, θʳ_l))] · [Σ |cos(g_l, gʳ_l)|] · [Σ (1 + cos(z_l, zʳ_l))].

    Weights are made positive and batch norms left out, in float64. θʳ = θ + β ‖θ‖ g/‖g‖, weight by
    weight, sees x' = x − step · sign ∂L(θʳ, x)/∂x, cut to [0, 1], where x is normalised: behind a
    first layer `Normalise`, the image as it is where there is none. g is the gradient of the loss
    L(θ, x), gʳ that of L(θʳ, x) + L(θʳ, x'), since the code adds up two passes. Cosines go over the
    first axis only and are added up over the others, so that large layers weigh more.

    z_l are the features that the code pairs a layer with: of a NAS-Bench-201 network of N cells a
    stage (5 in the code) those after the stem, after each reduction, of the last cell rectified,
    and pooled; a layer takes number ⌊cells begun / N⌋, so that most layers of the first stage are
    paired with the stem, and the classifier the last. In any other network a layer is paired with
    its own features, which the score's reason says. (For DARTS the code takes those of the cell.)

    Args:
        probe: the network and its batch (8 images in the paper).
        beta: the length of the perturbation of a weight, relative to the weight.
        step: the size of the perturbation of normalised images; not in units of 1/255.

    Raises:
        OptionError: if an option is not positive.
        UndefinedError: if the network has no double precision, or something overflows.
    """
    if min(beta, step) <= 0:
        raise OptionError(f"croze_reference's options are positive; got {beta} and {step}")
    require_weights(probe.tape)
    network = positive_copy(probe.module, probe.images.device)
    network, images = behind_normalisation(network, probe.images.double())
    clean = _look(network, images, probe.labels)
    other = _perturbed(network, clean, beta)
    first = _look(other, images, probe.labels)
    second = _look(other, (images - step * first.image.sign()).clamp(0, 1), probe.labels)
    terms = [
        (1 + _cosine(second.weights[name], weight)).sum()
        * _cosine(first.gradients[name] + second.gradients[name], clean.gradients[name]).abs().sum()
        * (1 + _cosine(second.features[name], clean.features[name])).sum()
        for name, weight in clean.weights.items()
    ]
    total = float(torch.stack(terms).sum())
    return Score(total, None if isinstance(network, Network) else OWN_FEATURES)


def _look(network: nn.Module, images: Tensor, labels: Tensor) -> _View:
    with undefined_where_it_fails("in float64 with positive weights and without its batch norms"):
        tape = record(network, images)
    require_weights(tape)
    weights = tape.weights
    with torch.enable_grad():
        loss = cross_entropy(tape.logits, labels)
        *found, image = tape.gradients(loss, [*weights.values(), tape.images])
    if isinstance(network, Network):
        paired = _by_cells(network, images)
        features = {name: paired(name) for name in weights}
    else:
        features = {
            product.weights[0]: _by_sample(product, len(images)) for product in tape.products
        }
        weights = {name: weight for name, weight in weights.items() if name in features}
    kept = {name: weight.detach() for name, weight in weights.items()}
    return _View(kept, dict(zip(tape.weights, found, strict=True)), features, image)


def _by_sample(product: Product, count: int) -> Tensor:
    """Return what a product gives with the samples first, whatever the order of its rows."""
    found = sample_first(product.output, product.axes, count)
    return product.output if found is None else found


def _by_cells(network: Network, images: Tensor) -> Callable[[str], Tensor]:
    """Return the features that the code pairs with the weight of a name."""
    with torch.no_grad():
        features = network.stem(images)
        stages, begun, count = [features], [], 0
        for block in network.cells:
            features = block(features)
            count += isinstance(block, Cell)
            begun.append(count)
            if not isinstance(block, Cell):
                stages.append(features)
        last = network.lastact(features)
        stages += [last, last.mean((2, 3))]

    def paired(name: str) -> Tensor:
        room, number, *_ = name.split(".")
        if room == "cells":
            return stages[begun[int(number)] // network.stage_cells]
        return stages[0 if room == "stem" else -1]

    return paired


def _perturbed(network: nn.Module, clean: _View, beta: float) -> nn.Module:
    other = working_copy(network)
    parameters = dict(other.named_parameters())
    with torch.no_grad():
        for name, weight in clean.weights.items():
            gradient = clean.gradients[name]
            length = _length(gradient)
            if length > 0:
                parameters[name].add_(gradient * (beta * _length(weight) / length))
    return other


def _cosine(one: Tensor, other: Tensor) -> Tensor:
    """Return the cosines along the first axis, with PyTorch's 1e-8 for short vectors."""
    if not all(math.isfinite(_length(tensor)) for tensor in (one, other)):
        raise UndefinedError("features or gradients of the positive network overflow")
    return cosine_similarity(one, other, dim=0)


def _length(tensor: Tensor) -> float:
    return float(torch.linalg.vector_norm(tensor))
