"""Normalisation as the first layer of a network, so that pixels stay in [0, 1] outside."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["Normalise", "normalised"]


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
