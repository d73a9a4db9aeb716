"""The attacked images that a network is trained on."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from testbed.train.adversarial import AdversarialTraining

__all__ = ["attacked"]


def attacked(
    network: nn.Module, images: Tensor, labels: Tensor, training: AdversarialTraining,
    source: torch.Generator,
) -> Tensor:  # fmt: skip
    """Return the images after the attack: x + δ in [0, 1], |δ| ≤ ε, after steps along the sign.

    The start is uniform in the ball. The network is attacked in eval mode, so that an image's
    perturbation does not depend on its neighbours and the attack leaves the running statistics
    alone; the step that learns from it is in training mode. Pang, Yang, Dong, Su and Zhu, "Bag of
    Tricks for Adversarial Training", ICLR 2021, compare both and recommend eval mode; it is also
    that of TRADES (Zhang et al., ICML 2019).

    Args:
        network: from images in [0, 1] to logits; left in the mode that it was in.
        images: (N, C, H, W).
        labels: (N,).
        training: the attack.
        source: of the random start, on the CPU.
    """
    epsilon, step = training.epsilon / 255, training.step_size / 255
    # Drawn on the CPU, so that it is the same on every device.
    start = (2 * torch.rand(images.shape, generator=source) - 1) * epsilon
    low, high = (images - epsilon).clamp_(min=0), (images + epsilon).clamp_(max=1)
    current = torch.clamp(images + start.to(images), low, high)
    mode = network.training
    network.eval()
    try:
        for _ in range(training.steps):
            current.requires_grad_()
            loss = cross_entropy(network(current), labels, reduction="sum")
            (gradient,) = torch.autograd.grad(loss, current)
            moved = current.detach() + step * gradient.sign()
            current = torch.clamp(moved, low, high)
    finally:
        network.train(mode)
    return current
