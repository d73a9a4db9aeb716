"""Whether a network takes the images of a set, and tells their classes apart."""

import torch
from torch import Tensor, nn

from testbed.basis.seeding import global_draws
from testbed.images import ImageSet
from testbed.networks.errors import NetworkError
from testbed.networks.logits import check_logits
from testbed.networks.normalise import Normalise
from testbed.sources.errors import SourceError

__all__ = ["SHOWN", "check_fit"]

SHOWN = 4  # images that a network is tried on


def check_fit(built: nn.Module, network: str, images: ImageSet) -> None:
    """Refuse a network that does not take some images, or has another number of classes.

    Args:
        built: the network, which becomes one of single precision.
        network: its name.
        images: that it shall take.

    Raises:
        SourceError: that says what it takes and gives.
    """
    built = built.float()
    # Subtracting three means from one channel gives three channels, without a word.
    channels = {len(layer.mean) for layer in built.modules() if isinstance(layer, Normalise)}
    if channels - {images.shape[0]}:
        raise SourceError(
            f"{network} does not take the images of {images.name}: it is of images with "
            f"{channels.pop()} channels; those of {images.name} have {images.shape[0]}"
        )
    count = min(SHOWN, len(images))
    try:
        with torch.no_grad(), global_draws("fit", network):
            logits = built(images.images(torch.arange(count)))
    except (Exception, SystemExit) as error:  # whatever a forward pass may raise
        raise SourceError(
            f"{network} does not take the images of {images.name}, {images.shape}: "
            f"{type(error).__name__}: {error}"
        ) from error
    shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
    if shape != (count, images.classes):
        raise SourceError(
            f"{network} gives {shape} for {count} images of {images.name}, which has "
            f"{images.classes} classes: expected logits ({count}, {images.classes})"
            f"{_way_out(logits, count)}"
        )


def _way_out(output: object, count: int) -> str:
    try:
        check_logits(output, count)
    except NetworkError as error:
        return f"; {error}"
    return ""
