"""MeCo: the least eigenvalue of the correlations between a layer's channels.

Jiang, Wang and Bie, "MeCo: Zero-Shot NAS with One Data and Single Forward Pass via Minimum
Eigenvalue of Correlation", NeurIPS 2023, equation 8.
"""

import torch
from torch import Tensor

from proxies.axes import rows_of_channels
from proxies.conditions import OptionError, UndefinedError
from proxies.operations import Product
from proxies.probe import Probe, Score
from proxies.tape import record
from testbed.networks.outcome import explained

__all__ = ["meco"]


def meco(probe: Probe, *, size: int = 64) -> Score:
    """Return Σ_l λ_min of the Pearson correlations between the channels of convolution l's output.

    One image of N(0, 1), ``size`` pixels wide, is fed. A channel that is constant over the
    positions correlates with none and is left out. The authors' code hooks every module, so that
    containers count their last layer again, and makes NaN to 0.

    Raises:
        UndefinedError: if the network does not take an image of that size, or has no convolution.
    """
    if size < 2:
        raise OptionError(f"an image has at least two pixels a side; got size {size}")
    shape = (1, probe.images.shape[1], size, size)
    image = torch.randn(shape, generator=probe.generator("meco", size)).to(probe.images)
    try:
        tape = record(probe.network, probe.fast.arrange(image))
    except UndefinedError:
        raise
    except Exception as error:
        raise UndefinedError(
            f"the network fails on an image of {size} × {size} (the option size): "
            f"{explained(error)}"
        ) from error
    maps = [product for product in tape.products if product.operation == "convolution"]
    if not maps:
        raise UndefinedError("no convolution reaches the logits: there are no channels")
    return Score(sum(_least(_channels(product)) for product in maps))


def _channels(product: Product) -> Tensor:
    """Return what a convolution gives, (channels, positions)."""
    if len(product.output) == 1:
        return product.output[0].flatten(1)
    return rows_of_channels(product.output, product.axes).mT  # of patches, one behind the other


def _least(channels: Tensor) -> float:
    """Return the least eigenvalue of the correlations between rows; 0 without any."""
    rows = channels.double()
    centred = rows - rows.mean(1, keepdim=True)
    lengths = centred.norm(dim=1)
    varied = centred[lengths > 1e-6 * rows.norm(dim=1)]
    if not bool(rows.isfinite().all()):
        raise UndefinedError("the features are not finite numbers")
    if not len(varied) or varied.shape[1] <= len(varied):
        return 0.0  # less positions than channels: singular
    unit = varied / varied.norm(dim=1, keepdim=True)
    return max(0.0, float(torch.linalg.eigvalsh(unit @ unit.mT)[0]))
