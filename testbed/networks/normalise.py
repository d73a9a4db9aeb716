"""Normalisation as the first layer of a network, so that pixels stay in [0, 1] outside."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["Normalise", "behind_normalisation", "normalised"]


class Normalise(nn.Module):
    """A layer that maps images x, (B, C, H, W) in [0, 1], to (x − mean) / std in each channel."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        # Not persistent: the state dict stays that of the network alone.
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(std)[:, None, None], persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return the normalised images."""
        return (images - self.mean) / self.std


def normalised(network: nn.Module, mean: Sequence[float], std: Sequence[float]) -> nn.Sequential:
    """Return the network behind a `Normalise` layer; it takes pixels in [0, 1]."""
    return nn.Sequential(Normalise(mean, std), network)


def behind_normalisation(network: nn.Module, images: Tensor) -> tuple[nn.Module, Tensor]:
    """Return the network without the `Normalise` layers at its front, and what they make of images.

    A network without such layers, and its images, are returned as they are.
    """
    while isinstance(network, nn.Sequential) and len(network) > 1:
        first = network[0]
        if not isinstance(first, Normalise):
            break
        images = first(images)
        network = network[1] if len(network) == 2 else network[1:]
    return network, images
