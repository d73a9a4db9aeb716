"""Gradients of each image's loss over its own pixels, and the images that they lead to.

g_i = ∂L_i / ∂x_i, L_i the cross-entropy of sample i. A pass backward starts from softmax − label,
which is taken from the logits of the whole batch: the last bits of a matrix product depend on its
number of rows, so that the parts of a batch would leave their trace otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from proxies.conditions import (
    OptionError,
    UndefinedError,
    require_derivative,
    require_independence,
)

if TYPE_CHECKING:
    from proxies.probe import Probe

__all__ = [
    "InputGradients",
    "attacked",
    "batch_logits",
    "input_gradients",
    "loss_gradients_at",
    "losses_at",
    "moved_gradients",
]

SEEN = 64  # roundings of a pixel: a step is then known to some percent


@dataclass(frozen=True)
class InputGradients:
    """The losses of a batch and their gradients over the images.

    Attributes:
        losses: the cross-entropy of every sample, (B,) in float64 on the CPU.
        gradients: g_i, of the images' shape (B, C, H, W), dtype and device.
        masked: whether all gradients are exactly zero although the logits differ between images.
    """

    losses: Tensor
    gradients: Tensor
    masked: bool

    @property
    def rows(self) -> Tensor:
        """Return g_i, flat, (B, D) in float64 on the CPU."""
        return self.gradients.flatten(1).double().cpu()


def input_gradients(probe: Probe) -> InputGradients:
    """Return the gradients of a probe's batch.

    Raises:
        UndefinedError: if the samples have no gradients of their own, or not finite ones.
    """
    return probe.shared("input gradients", lambda: _of_batch(probe))


def attacked(probe: Probe, epsilon: float) -> Tensor:
    """Return x + ε sign g, (B, C, H, W), not cut to [0, 1]; ε in units of 1/255.

    Raises:
        OptionError: if ε is not positive.
        UndefinedError: as `input_gradients`.
    """
    if not epsilon > 0:
        raise OptionError(f"epsilon is a positive number of units of 1/255; got {epsilon}")
    _check_seen(probe, epsilon / 255, f"epsilon = {epsilon:g}, in units of 1/255,")
    signs = input_gradients(probe).gradients.sign()
    return probe.fast.arrange(probe.images + epsilon / 255 * signs)


def moved_gradients(probe: Probe, h: float) -> Tensor:
    """Return ∂L_i/∂x at x_i + h z_i, (B, C, H, W), with z_i = sign g_i / ‖sign g_i‖.

    Raises:
        OptionError: if the length h, for pixels in [0, 1], is not positive.
        UndefinedError: as `input_gradients`.
    """
    if not h > 0:
        raise OptionError(f"h is the positive length of a step, in pixels of [0, 1]; got {h}")
    _check_seen(probe, h / probe.images[0].numel() ** 0.5, f"h = {h:g}")
    return probe.shared(f"input gradients at h = {h!r}", lambda: _moved(probe, h))


def _check_seen(probe: Probe, step: float, option: str) -> None:
    """Raise OptionError if a step of every pixel is lost in the rounding of pixels."""
    least = SEEN * torch.finfo(probe.images.dtype).eps
    if step < least:
        raise OptionError(
            f"{option} moves a pixel by {step:.2g}, which {probe.images.dtype} rounds away: a "
            f"pixel has to move by {least:.2g}, or less in float64"
        )


def batch_logits(probe: Probe) -> Tensor:
    """Return the logits of the whole batch, (B, K), of the images' dtype, without a graph."""
    return probe.shared("logits", lambda: logits_at(probe, probe.images))


def logits_at(probe: Probe, images: Tensor) -> Tensor:
    """Return the logits of images, (N, K), without a graph."""
    with torch.no_grad():
        return probe.fast.network(probe.fast.arrange(images))


def losses_at(probe: Probe, images: Tensor) -> Tensor:
    """Return the losses of images with the batch's labels, (B,) in float64 on the CPU.

    Raises:
        UndefinedError: if they are not finite.
    """
    return _losses(logits_at(probe, images), probe.labels)


def loss_gradients_at(probe: Probe, images: Tensor, logits: Tensor) -> Tensor:
    """Return the gradients of the losses at images whose logits are known, of the images' shape.

    Raises:
        UndefinedError: if they are not finite.
    """
    towards = logits.softmax(1) - one_hot(probe.labels, logits.shape[1]).to(logits)
    found, first = [], 0
    for part in probe.parts(2 * images[0].nbytes, images):
        leaf, start = part.detach().requires_grad_(), first
        first += len(part)
        with torch.enable_grad():
            output = probe.fast.network(leaf)
        row = torch.zeros_like(leaf)
        if output.requires_grad:
            (row,) = torch.autograd.grad(
                output, leaf, towards[start:first], materialize_grads=True
            )  # fmt: skip
        found.append(row)
    gradients = torch.cat(found)
    if not bool(gradients.isfinite().all()):
        raise UndefinedError("the gradients of the loss over the images are not finite numbers")
    return gradients


def _of_batch(probe: Probe) -> InputGradients:
    require_derivative(probe)
    logits = batch_logits(probe)
    require_independence(probe, logits)
    losses = _losses(logits, probe.labels)
    gradients = loss_gradients_at(probe, probe.images, logits)
    still = bool((gradients == 0).all())
    return InputGradients(losses, gradients, still and bool((logits != logits[:1]).any()))


def _moved(probe: Probe, h: float) -> Tensor:
    signs = input_gradients(probe).gradients.sign()
    lengths = signs.flatten(1).double().norm(dim=1).clamp(min=1).to(signs)
    images = probe.images + h * signs / lengths[:, None, None, None]
    return loss_gradients_at(probe, images, logits_at(probe, images))


def _losses(logits: Tensor, labels: Tensor) -> Tensor:
    losses = cross_entropy(logits.double(), labels, reduction="none").cpu()
    if not bool(losses.isfinite().all()):
        raise UndefinedError("the losses of the images are not finite numbers")
    return losses
