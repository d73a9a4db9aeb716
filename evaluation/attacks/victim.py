"""The network as an attack sees it: logits and gradients, counted.

An attack works on a copy that requires no parameter gradients, with batch norms folded
into convolutions and in channels-last order: the same function up to rounding, at about
two thirds of the cost. What counts in the end is judged on the network itself.
"""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from testbed.folding import freeze

__all__ = ["Loss", "Victim", "pad"]

Loss = Callable[[Tensor, Tensor], Tensor]  # logits (N, K), labels (N,) → losses (N,)

# Below this many rows, kernels of matrix products add up in another order: an image's last
# bits would depend on how many neighbours it has.
LEAST_ROWS = 4
TOLERANCE = 1e-5  # of the folded copy's logits, relative to their size


class Victim:
    """A frozen copy of a network for attacks; counts what they ask of it.

    Attributes:
        queries: forward passes so far, in images.
        gradients: backward passes so far, in images.
        folded: whether batch norm was folded (not, if that changed the logits).
    """

    def __init__(self, network: nn.Module, probe: Tensor) -> None:
        self.queries = self.gradients = 0
        plain = copy.deepcopy(network).eval().requires_grad_(False)
        self.network, self.folded = plain, False
        folded = freeze(plain)
        images = pad(probe[:LEAST_ROWS])
        logits = _forward(plain, images)
        try:
            change = (_forward(folded, _channels_last(images)) - logits).abs()
        except RuntimeError:  # a ``view`` that channels-last order does not allow
            return
        if float(change.max()) <= TOLERANCE * max(1.0, float(logits.abs().max())):
            self.network, self.folded = folded, True

    def arrange(self, images: Tensor) -> Tensor:
        """Return images in the memory layout that the copy is fastest with."""
        return _channels_last(images) if self.folded else images

    def logits(self, images: Tensor) -> Tensor:
        """Return the logits (N, K) of images (N, C, H, W)."""
        self.queries += len(images)
        return _forward(self.network, pad(images))[: len(images)]

    def logits_with_graph(self, images: Tensor) -> Tensor:
        """Return the logits (N, K) with the graph that leads to them: for foreign attacks."""
        self.queries += len(images)
        return self.network(self.arrange(pad(images)))[: len(images)]

    def gradient(self, images: Tensor, labels: Tensor, loss: Loss) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits (N, K), losses (N,) and the gradients (N, C, H, W) of each loss."""
        self.queries += len(images)
        self.gradients += len(images)
        size = len(images)
        leaf = pad(images).detach().requires_grad_()
        with torch.enable_grad():
            logits = self.network(leaf)[:size]
            losses = loss(logits, labels)
            (gradient,) = torch.autograd.grad(losses.sum(), leaf)
        return logits.detach(), losses.detach(), gradient[:size]


def pad(images: Tensor) -> Tensor:
    """Return a batch with at least `LEAST_ROWS` images: the first one is repeated."""
    missing = LEAST_ROWS - len(images)
    return images if missing <= 0 else torch.cat([images, images[:1].expand(missing, -1, -1, -1)])


def _forward(network: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        return network(images)


def _channels_last(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last)
