"""The check of images and labels that every entry of the library shares."""

import torch
from torch import Tensor

from testbed.networks.errors import NetworkError
from testbed.networks.logits import FLOATS

__all__ = ["check_images"]


def check_images(images: Tensor, labels: Tensor | None, count: str = "B") -> None:
    """Check a batch; `testbed.networks.logits.check_labels` checks the range of the labels.

    Args:
        images: the batch, (B, C, H, W).
        labels: one class number for each image; None where none are asked for.
        count: the letter that stands for the number of images in the message.

    Raises:
        NetworkError: unless the images are float32 or float64, (B, C, H, W) with B of at least 1
            and all pixels in [0, 1], and the labels int64, (B,).
    """
    if not isinstance(images, Tensor) or images.dim() != 4 or not images.numel():
        raise NetworkError(
            f"images are a floating tensor ({count}, C, H, W), {count} ≥ 1; got "
            f"{_described(images)}: add the dimension of the batch with image[None]"
        )
    if images.dtype not in FLOATS:
        raise NetworkError(
            f"images are a floating tensor, torch.float32 or float64; got {images.dtype}: call "
            f"{'images.float()' if images.is_floating_point() else 'images.float() / 255'}"
        )
    low, high = float(images.min()), float(images.max())
    if not (low >= 0 and high <= 1):
        raise NetworkError(
            f"pixels are in [0, 1]; got {low:g} to {high:g}: divide by 255, and make "
            "normalisation a layer of the network (testbed.networks.normalise.normalised)"
        )
    if labels is None:
        return
    if not isinstance(labels, Tensor) or labels.shape != images.shape[:1]:
        raise NetworkError(
            f"labels are an int64 tensor of shape ({len(images)},), one for each image; got "
            f"{_described(labels)}"
        )
    if labels.dtype != torch.int64:
        raise NetworkError(
            f"labels are an int64 tensor of class numbers; got {labels.dtype}: call labels.long()"
        )


def _described(value: object) -> str:
    if isinstance(value, Tensor):
        return f"{value.dtype} of shape {tuple(value.shape)}"
    return type(value).__name__
