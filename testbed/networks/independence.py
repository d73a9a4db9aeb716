"""Whether the images of a batch influence each other, and whether a network draws numbers."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from testbed.basis.seeding import global_draws
from testbed.networks.copying import working_copy
from testbed.networks.memory import not_of_memory

__all__ = ["by_how_much", "influence", "is_random", "neighbours", "relative_change"]

# Kernels add up in another order when there are more images.
ROUNDING = {torch.float32: 1e-5, torch.float64: 1e-11}
DOUBTLESS = 1e-3  # beyond any rounding, where no float64 pass can tell


def relative_change(now: Tensor, before: Tensor) -> float:
    """Return the largest difference of two tensors, relative to the largest entry.

    NaN counts as equal to NaN, and as infinitely different from any number, as another number is
    from zeros.
    """
    now, before = now.detach().double(), before.detach().double()
    if not torch.equal(now.isfinite(), before.isfinite()):
        return float("inf")
    known = before.isfinite()
    difference = (now - before)[known].abs()
    if not difference.numel() or not float(difference.max()):
        return 0.0
    largest = float(before[known].abs().max())
    return float(difference.max()) / largest if largest > 0 else math.inf


def by_how_much(change: float) -> str:
    """Return a relative change in words: ``by 0.02 of the largest``."""
    if math.isfinite(change):
        return f"by {change:.1g} of the largest"
    return "altogether (in one case all are 0, or some are no finite numbers)"


def neighbours(images: Tensor) -> Tensor:
    """Return the first image with another one beside it, (2, C, H, W)."""
    if len(images) > 1:
        return images[:2]
    return torch.cat([images, images.flip(-1) * 0.5])


def influence(network: nn.Module, images: Tensor, alone: Tensor, among: Tensor) -> float | None:
    """Return how much the other images change the first one's logits, or None if they do not.

    Args:
        network: the network that gave the logits; it is called again only where rounding may
            explain a change.
        images: the batch, (N, C, H, W).
        alone: the logits of ``images[:1]``, (1, K).
        among: the logits of the first image in the batch, (1, K).

    Returns:
        The largest change relative to the largest logit. A network that draws random numbers
        gives other logits each time, whatever the other images are: this is no influence, and
        `is_random` finds it.
    """
    change = relative_change(among, alone)
    if change <= ROUNDING[images.dtype] or is_random(network, images[:1]):
        return None
    with torch.no_grad():
        try:
            exact = working_copy(network).double()
            many = images.double()
            change = relative_change(exact(many)[:1], exact(many[:1]))
            return change if change > ROUNDING[torch.float64] ** 0.75 else None
        except Exception as error:  # a network that cannot compute in float64
            not_of_memory(error)
            return change if change > DOUBTLESS else None


def is_random(network: Callable[[Tensor], Tensor], images: Tensor) -> bool:
    """Say whether a network gives other outputs when other random numbers are drawn."""
    with torch.no_grad():
        outputs = []
        for word in ("first", "second"):
            with global_draws("randomness", word, device=images.device):
                outputs.append(network(images.clone()).clone())
    return relative_change(outputs[1], outputs[0]) > ROUNDING[images.dtype]
