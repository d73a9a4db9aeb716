"""A network in its batch-norm mode: the plain copy, and the fast one that was compared with it."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from proxies.calibration import BatchNormError
from proxies.preparation import prepared
from testbed.networks.errors import NetworkError
from testbed.networks.fast import FastCopy, fast_copy

__all__ = ["Copies", "copies"]


@dataclass(frozen=True)
class Copies:
    """The copies of a network that the proxies differentiate.

    Attributes:
        fast: the fast copy, which holds the plain one.
        calibrated_from: the smallest number of values that a channel's batch-norm statistics
            were computed from; None if nothing was calibrated.
    """

    fast: FastCopy
    calibrated_from: int | None


def copies(module: nn.Module, images: Tensor, mode: str) -> Copies:
    """Return the copies of a module; the module itself is not touched.

    The pass that calibrates takes channels-last images, which is faster. Where that layout
    turns out to fail, or to change the function, the statistics are made anew without it.

    Args:
        module: any network.
        images: the batch, (B, C, H, W).
        mode: the batch-norm mode, see `proxies.preparation`.

    Raises:
        NetworkError: if the module cannot be copied, fails, or does not give logits.
        BatchNormError: if the mode does not fit the network.
    """
    try:
        made = _copies(module, images, mode, torch.channels_last)
    except BatchNormError:
        raise
    except NetworkError:
        return _copies(module, images, mode, torch.contiguous_format)
    if made.calibrated_from is not None and "layout" in made.fast.given_up:
        return _copies(module, images, mode, torch.contiguous_format)
    return made


def _copies(module: nn.Module, images: Tensor, mode: str, layout: torch.memory_format) -> Copies:
    plain, count = prepared(module, images, mode, layout)
    fast = fast_copy(plain, images, batch=mode == "batch")
    return Copies(fast, count)
