"""The check that a network returns logits (N, K); all else is refused, with advice."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from testbed.networks.errors import NetworkError

__all__ = ["Logits", "check_labels", "check_logits"]

FLOATS = (torch.float32, torch.float64)


class Logits(nn.Module):
    """A network whose output a function turns into logits (N, K).

    >>> network = Logits(classifier, lambda output: output.logits)

    Args:
        network: any module.
        take: a function from the output of the network to logits, (N, K).
    """

    def __init__(self, network: nn.Module, take: Callable[[Any], Tensor]) -> None:
        super().__init__()
        self.network, self.take = network, take

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, (N, K), of images (N, C, H, W)."""
        return self.take(self.network(images))


def check_logits(output: Any, count: int) -> Tensor:
    """Return the output of a network for ``count`` images, if it is logits.

    Raises:
        NetworkError: if it is no float32 or float64 tensor (count, K) with K of at least 2.
    """
    if not isinstance(output, Tensor):
        _refuse(f"a {type(output).__name__}", _unwrapping(output))
    if not output.is_floating_point():
        _refuse(f"{output.dtype}", "return the logits, not the classes")
    if output.dtype not in FLOATS:
        _refuse(f"{output.dtype}", "call network.float(), and take autocast out of its forward")
    if output.dim() != 2 or len(output) != count or output.shape[1] < 2:
        _refuse(f"shape {tuple(output.shape)}", _reshaping(output, count))
    return output


def check_labels(labels: Tensor, classes: int) -> None:
    """Check that labels (N,) are classes of a network.

    Raises:
        NetworkError: if a label is negative, or not below the number of logits.
    """
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        raise NetworkError(
            f"labels are 0 to {classes - 1} for a network of {classes} logits; got {low} to "
            f"{high}: use the network's own numbering, and leave images without a class out"
        )


def _refuse(got: str, advice: str) -> None:
    raise NetworkError(
        f"the network returned {got}; expected logits, a float32 or float64 tensor (N, K) with a "
        f"row for each image: {advice}"
    )


def _unwrapping(output: Any) -> str:
    take = "output[0]"
    if isinstance(output, Mapping) or hasattr(output, "logits"):
        take = "output.logits" if hasattr(output, "logits") else "output['logits']"
    return f"wrap it in testbed.networks.logits.Logits(network, lambda output: {take})"


def _reshaping(output: Tensor, count: int) -> str:
    take = ""
    if output.dim() > 2 and output.numel() == len(output) * output.shape[1]:
        take = "z.flatten(1)"
    elif output.dim() > 2:
        return "a classifier of whole images is needed: pool what is left of the image"
    elif (output.numel() == count and count > 1) or (output.dim() == 2 and output.shape[1] == 1):
        take = "torch.stack([torch.zeros_like(z), z], -1).view(-1, 2)"
    elif output.dim() == 1 and count == 1:
        return "keep the dimension of the batch when it is squeezed"
    else:
        return f"{count} images went in"
    return f"wrap it in testbed.networks.logits.Logits(network, lambda z: {take})"
