"""CRoZe: how consistent a network is with itself when weights and images are perturbed.

Ha, Kim and Hwang, "Generalizable Lightweight Proxy for Robust NAS against Diverse Perturbations",
NeurIPS 2023, arXiv:2306.05031, equations 5 to 9.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from proxies.conditions import OptionError, UndefinedError
from proxies.effective import effective_copy
from proxies.loss_gradients import require_weights
from proxies.probe import Probe, Score
from proxies.tape import Tape
from testbed.networks.copying import unwrapped
from testbed.networks.precision import in_precision

__all__ = ["croze"]


@dataclass(frozen=True)
class _View:
    """What is compared of a network: weights and gradients by name, features by place."""

    weights: dict[str, Tensor]
    gradients: dict[str, Tensor]
    features: list[Tensor]


def croze(probe: Probe, *, beta: float = 2.0, epsilon: float = 2.55, rate: float = 0.1) -> Score:
    """Return Σ_m Z_m · P_m · G_m over the products with weights, each from a pair of networks.

    The perturbed network has θʳ = θ + β ‖θ‖ g/‖g‖, weight by weight, g = ∂L/∂θ, and sees
    x' = x + ε sign ∂L(θʳ, x)/∂x, cut to [0, 1]. Of layer m, Z = 1 + cos of the features, P = 1 +
    cos of the weights after one step of size ``rate`` of either network, G = |cos| of the
    gradients; all cosines are of whole tensors.

    The authors' code makes all weights positive and removes batch norm, steps down the gradient
    at normalised images that it cuts to [0, 1], compares θ with θʳ without a step, sums cosines
    over the first axis only, so that wide layers weigh more, and pairs layers with features by
    the number of the cell. That is another score, `proxies.robust.croze_reference`.

    Args:
        probe: the network and its batch (8 images in the paper).
        beta: the length of the perturbation of a weight, relative to the weight.
        epsilon: the size of the perturbation of images, in units of 1/255 (.01 in the paper).
        rate: the size of the step, for P.

    Raises:
        OptionError: if an option is not positive.
        UndefinedError: if a layer has no gradient in all images, or overflows.
    """
    if min(beta, epsilon, rate) <= 0:
        raise OptionError(f"croze's options are positive; got {beta}, {epsilon} and {rate}")
    require_weights(probe.tape)
    clean = _view(probe.tape, probe.loss_gradients.parameters)
    other = _perturbed(probe, probe.images, clean, beta)
    towards = _image_gradient(other)
    images = (probe.images + epsilon / 255 * towards.sign().to(probe.images)).clamp(0, 1)
    other = _perturbed(probe, images, clean, beta)
    perturbed = _view(other.tape, other.loss_gradients.parameters)
    return _score(clean, perturbed, probe.tape, rate)


def _score(clean: _View, perturbed: _View, tape: Tape, rate: float) -> Score:
    total = 0.0
    for product, before, after in zip(
        tape.products, clean.features, perturbed.features, strict=True
    ):
        name = product.weights[0]
        gradients = clean.gradients[name], perturbed.gradients[name]
        stepped = [
            view.weights[name] - rate * gradient
            for view, gradient in zip((clean, perturbed), gradients, strict=True)
        ]
        features = 1 + _cosine(before, after)
        weights = 1 + _cosine(*stepped)
        total += features * weights * abs(_cosine(*gradients))
    return Score(total, details={"layers": len(tape.products)})


def _perturbed(probe: Probe, images: Tensor, clean: _View, beta: float) -> Probe:
    """Return a probe of the network with perturbed weights and of some images."""
    network = effective_copy(unwrapped(probe.module))
    network = in_precision(network, images.device, images.dtype)
    parameters = dict(network.named_parameters())
    with torch.no_grad():
        for name, weight in clean.weights.items():
            gradient = clean.gradients[name]
            length = gradient.norm()
            if float(length) > 0:
                parameters[name].add_((beta * weight.norm() / length) * gradient)
    key = (*probe.key, "croze")
    return Probe(
        network, images, probe.labels, batch_norm=probe.batch_norm, key=key, memory=probe.budget
    )


def _image_gradient(probe: Probe) -> Tensor:
    tape = probe.tape
    with torch.enable_grad():
        loss = torch.nn.functional.cross_entropy(tape.logits, probe.labels)
        (gradient,) = tape.gradients(loss, [tape.images])
    return gradient


def _view(tape: Tape, gradients: dict[str, Tensor]) -> _View:
    weights = {name: weight.detach() for name, weight in tape.weights.items()}
    return _View(weights, gradients, [product.output for product in tape.products])


def _cosine(one: Tensor, other: Tensor) -> float:
    """Return the cosine of two tensors in float64; 0 where one is zero."""
    a, b = one.double().flatten(), other.double().flatten()
    if not bool(a.isfinite().all() and b.isfinite().all()):
        raise UndefinedError("features or gradients of the perturbed network are not finite")
    lengths = float(a.norm() * b.norm())
    return float(a @ b) / lengths if lengths > 0 else 0.0
