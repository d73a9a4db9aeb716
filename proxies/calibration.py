"""Statistics of batch norms from one batch, accurate where float32 sums are not.

A network of 100 batch norms carries the rounding of each one's statistics through all later
layers: with means and variances summed in float32 a Jacobian norm is off by up to 4e-4, a
single image's by ten times as much; summed in float64, by 6e-5, at no measurable cost.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _NormBase
from torch.overrides import TorchFunctionMode

from testbed.networks.errors import NetworkError
from testbed.networks.outcome import explained

__all__ = ["FEW", "BatchNormError", "calibrate"]

FEW = 32  # values of a channel below which its variance is known to some 25 % at best


class BatchNormError(NetworkError):
    """A batch-norm mode that makes no sense for the network."""


def calibrate(network: nn.Module, norms: Sequence[_NormBase], images: Tensor) -> int | None:
    """Set the running statistics of batch norms, in train mode, from one forward pass.

    Each layer normalises with the mean and the biased variance of its own input, as in
    training, and keeps the unbiased one; a layer that is called several times keeps the mean
    over its calls. So does `torch.nn.BatchNorm2d` in train mode with ``momentum=None``.

    Args:
        network: the network, in eval mode except for the norms.
        norms: its batch norms; their former statistics are discarded.
        images: the batch, (B, C, H, W).

    Returns:
        The number of values that each channel's statistics were computed from, at the layer
        that had the fewest.

    Raises:
        BatchNormError: if a layer has only a single value of each channel.
        NetworkError: if the network fails.
    """
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a cumulative average: after one pass, that pass's statistics
    try:
        with torch.no_grad(), _Accurate() as mode:
            network(images)
    except NetworkError:
        raise
    except Exception as error:  # whatever a user's forward may raise
        raise NetworkError(
            f"the network fails on images {tuple(images.shape)} of {images.dtype} on "
            f"{images.device}, when its batch norms are calibrated: {explained(error)}"
        ) from error
    return mode.fewest


class _Accurate(TorchFunctionMode):
    """Computes the statistics of batch norms in train mode in float64."""

    fewest: int | None = None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is not functional.batch_norm:
            return func(*args, **(kwargs or {}))
        return self._batch_norm(func, *args, **(kwargs or {}))

    def _batch_norm(
        self, func: Any, input: Tensor, running_mean: Tensor | None, running_var: Tensor | None,
        weight: Tensor | None = None, bias: Tensor | None = None, training: bool = False,
        momentum: float = 0.1, eps: float = 1e-5,
    ) -> Tensor:  # fmt: skip
        if not training:
            return func(input, running_mean, running_var, weight, bias, False, momentum, eps)
        count = input.numel() // max(1, input.shape[1])
        if count < 2:
            raise BatchNormError(
                f"a batch norm sees one value of each channel, of {tuple(input.shape)}, which "
                "has no variance: give more images, or larger ones"
            )
        self.fewest = min(count, self.fewest or count)
        mean, variance = _moments(input)
        if running_mean is not None and running_var is not None:
            running_mean.lerp_(mean.to(running_mean), momentum)
            running_var.lerp_((variance * (count / (count - 1))).to(running_var), momentum)
        return func(input, mean.to(input), variance.to(input), weight, bias, False, 0.0, eps)


def _moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean and the biased variance of each channel, (C,) in float64."""
    rows = features.movedim(1, -1).double().reshape(-1, features.shape[1])
    mean = rows.mean(0)
    centred = rows - mean
    return mean, (centred * centred).mean(0)
