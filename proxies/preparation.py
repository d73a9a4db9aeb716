"""The batch-norm contract: which statistics a network is scored with.

``calibrated``  one forward pass sets the running statistics from the batch, then eval mode:
                samples are independent, so per-sample Jacobians are what they claim to be.
                See `proxies.calibration`.
``running``     eval mode with the statistics as loaded; for trained networks.
``batch``       train mode, as much published code does it: every sample's output depends
                on the whole batch. For comparison only.

Eval mode with the statistics of a fresh network (mean 0, variance 1) is no
normalisation at all, ranks networks in the inverse order, and is refused.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase

from proxies.calibration import FEW, BatchNormError, calibrate
from proxies.effective import effective_copy
from testbed.networks.copying import unwrapped, working_copy
from testbed.networks.errors import NetworkError
from testbed.networks.precision import in_precision

__all__ = ["BATCH_NORM_MODES", "BatchNormError", "Prepared", "prepare", "prepared", "resolve"]

BATCH_NORM_MODES = ("calibrated", "running", "batch")


def resolve(module: nn.Module, mode: str) -> str:
    """Return the mode that ``auto`` means for a module, or the mode itself if it is allowed.

    ``auto`` is ``calibrated`` if the batch norms are fresh, else ``running``.

    Raises:
        BatchNormError: for an unknown mode, or ``running`` on fresh statistics.
    """
    norms = _norms(unwrapped(module))
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


class Prepared(NamedTuple):
    """A network ready to be scored.

    Attributes:
        network: the copy of the network.
        calibrated_from: the smallest number of values that a channel's batch-norm statistics
            were calibrated from; None if nothing was calibrated.
    """

    network: nn.Module
    calibrated_from: int | None


def prepare(module: nn.Module, images: Tensor, mode: str) -> nn.Module:
    """Return a copy of the module, ready to be scored; `prepared` describes the arguments."""
    return prepared(module, images, mode).network


def prepared(
    module: nn.Module, images: Tensor, mode: str, layout: torch.memory_format | None = None
) -> Prepared:
    """Return a copy of the module, ready to be scored; the module itself is not touched.

    Args:
        module: any network; dropout and similar layers are off in the copy.
        images: the batch that calibrates, (B, C, H, W); its dtype and device become the copy's.
        mode: one of `BATCH_NORM_MODES`, see `resolve`.
        layout: the memory layout that the images are put into for speed; None leaves theirs.

    Raises:
        BatchNormError: if the statistics cannot be what the mode says they are.
        NetworkError: if the module cannot be copied, or fails on the images.
    """
    mode = resolve(module, mode)
    network = in_precision(effective_copy(module), images.device, images.dtype)
    norms = _norms(network)
    if mode != "batch" and any(norm.running_mean is None for norm in norms):
        raise BatchNormError(
            f"a batch norm of this network keeps no running statistics, so mode {mode!r} cannot "
            "make its samples independent; use 'batch'"
        )
    if mode == "running":
        return Prepared(network, None)
    for norm in norms:
        norm.train()
    if mode == "batch":
        return Prepared(network, None)
    fewest = calibrate(network, norms, images.clone(memory_format=layout or torch.preserve_format))
    if fewest is not None and fewest < FEW and images.dtype != torch.float64:
        _calibrate_in_float64(network, norms, images)
    network.eval()
    return Prepared(network, fewest)


def _calibrate_in_float64(network: nn.Module, norms: list[_NormBase], images: Tensor) -> None:
    """Set the statistics anew, if the network works in float64.

    Variances of a few values may be tiny, and then magnify the rounding of the whole pass.
    """
    exact = working_copy(network).double()
    try:
        calibrate(exact, _norms(exact), images.double())
    except NetworkError:  # a forward that insists on float32: its statistics stand
        return
    for norm, source in zip(norms, _norms(exact), strict=True):
        norm.load_state_dict(source.state_dict())


def _norms(module: nn.Module) -> list[_NormBase]:
    """Return the batch norms, and the instance norms that keep statistics as batch norms do."""
    found = [layer for layer in module.modules() if isinstance(layer, _NormBase)]
    return [norm for norm in found if isinstance(norm, _BatchNorm) or norm.track_running_stats]


def _is_fresh(norm: _NormBase) -> bool:
    if norm.running_mean is None or norm.running_var is None:
        return False
    return bool((norm.running_mean == 0).all()) and bool((norm.running_var == 1).all())
