"""The batch-norm contract: which statistics a network is scored with.

``calibrated``  one forward pass sets the running statistics from the batch, then eval mode:
                samples are independent, so per-sample Jacobians are what they claim to be.
``running``     eval mode with the statistics as loaded; for trained networks.
``batch``       train mode, as much published code does it: every sample's output depends
                on the whole batch. For comparison only.

Eval mode with the statistics of a fresh network (mean 0, variance 1) is no
normalisation at all, ranks networks in the inverse order, and is refused.
"""

import copy

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from testbed.folding import channels_last

__all__ = ["BATCH_NORM_MODES", "BatchNormError", "prepare", "resolve"]

BATCH_NORM_MODES = ("calibrated", "running", "batch")


class BatchNormError(ValueError):
    """The asked batch-norm mode makes no sense for this network."""


def resolve(module: nn.Module, mode: str) -> str:
    """Return the mode that ``auto`` means for a module, or the mode itself if it is allowed.

    ``auto`` is ``calibrated`` if the batch norms are fresh, else ``running``.

    Raises:
        BatchNormError: for an unknown mode, or ``running`` on fresh statistics.
    """
    norms = _batch_norms(module)
    fresh = bool(norms) and all(_is_fresh(norm) for norm in norms)
    if mode == "auto":
        return "calibrated" if fresh else "running"
    if mode not in BATCH_NORM_MODES:
        raise BatchNormError(
            f"unknown batch-norm mode {mode!r}; expected auto, {', '.join(BATCH_NORM_MODES)}"
        )
    if mode == "running" and fresh:
        raise BatchNormError(
            "batch-norm mode 'running' was asked for a network whose statistics are fresh "
            "(mean 0, variance 1): that is no normalisation at all. Use 'calibrated', which "
            "sets them from the batch, or load trained weights"
        )
    return mode


def prepare(module: nn.Module, images: Tensor, mode: str) -> nn.Module:
    """Return a copy of the module, ready to be scored; the module itself is not touched.

    Args:
        module: any network; dropout and the like are off in the copy.
        images: (B, C, H, W), the batch that calibrates.
        mode: one of `BATCH_NORM_MODES`, see `resolve`.

    Raises:
        BatchNormError: also if samples would not be independent although the mode says so.
    """
    mode = resolve(module, mode)
    network = channels_last(copy.deepcopy(module).to(images.device, images.dtype).eval())
    norms = _batch_norms(network)
    if mode != "batch" and any(norm.running_mean is None for norm in norms):
        raise BatchNormError(
            f"a batch norm of this network keeps no running statistics, so mode {mode!r} cannot "
            "make its samples independent; use 'batch'"
        )
    if mode == "running":
        return network
    for norm in norms:
        norm.train()
    if mode == "calibrated":
        _calibrate(network, norms, images)
    return network


def _calibrate(network: nn.Module, norms: list[_BatchNorm], images: Tensor) -> None:
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a cumulative average: after one pass, that pass's statistics
    with torch.no_grad():
        network(images.contiguous(memory_format=torch.channels_last))
    network.eval()


def _batch_norms(module: nn.Module) -> list[_BatchNorm]:
    return [layer for layer in module.modules() if isinstance(layer, _BatchNorm)]


def _is_fresh(norm: _BatchNorm) -> bool:
    if norm.running_mean is None or norm.running_var is None:
        return False
    return bool((norm.running_mean == 0).all()) and bool((norm.running_var == 1).all())
