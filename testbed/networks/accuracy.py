"""The share of images that a network classifies rightly."""

import torch
from torch import nn

from testbed.images import ImageSet

__all__ = ["accuracy"]


def accuracy(
    network: nn.Module, images: ImageSet, device: torch.device | str = "cpu", batch_size: int = 256
) -> float:
    """Return the share of images that a network of pixels in [0, 1] classifies rightly."""
    mode, right = network.training, 0
    network.eval()
    with torch.inference_mode():
        for indices in torch.arange(len(images)).split(batch_size):
            logits = network(images.images(indices).to(device))
            right += int((logits.argmax(1).cpu() == images.labels[indices]).sum())
    network.train(mode)
    return right / len(images)
