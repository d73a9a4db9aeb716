"""The network as an attack sees it: logits and gradients, counted.

An attack works on a copy that requires no parameter gradients, with batch norms folded
into convolutions and in channels-last order: the same function up to rounding, at about
two thirds of the cost. What counts in the end is judged on the network itself.
"""

import copy
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from testbed.folding import freeze

__all__ = ["Loss", "Victim", "pad"]

Loss = Callable[[Tensor, Tensor], Tensor]  # logits (N, K), labels (N,) → losses (N,)

# Below this many rows, kernels add up in another order: an image's last bits would depend on
# how many neighbours it has. A folded copy on one thread needs fewer.
LEAST_ROWS = 16
FOLDED_ROWS = 4
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
        images = pad(probe[:FOLDED_ROWS], FOLDED_ROWS)
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
        return _forward(self.network, self._padded(images))[: len(images)]

    def logits_with_graph(self, images: Tensor) -> Tensor:
        """Return the logits (N, K) with the graph that leads to them: for foreign attacks."""
        self.queries += len(images)
        return self.network(self.arrange(self._padded(images)))[: len(images)]

    def wrong_classes(self, images: Tensor, count: int) -> Iterator[Tensor]:
        """Yield targets (N,): the classes by their logits, the second largest first.

        Args:
            images: (N, C, H, W), the clean ones.
            count: how many targets; no more than K − 1 are yielded.
        """
        order = self.logits(images).argsort(1, descending=True)
        yield from order[:, 1 : count + 1].unbind(1)

    def gradient(self, images: Tensor, labels: Tensor, loss: Loss) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits (N, K), losses (N,) and the gradients (N, C, H, W) of each loss."""
        self.queries += len(images)
        self.gradients += len(images)
        size = len(images)
        leaf = self._padded(images).detach().requires_grad_()
        with torch.enable_grad():
            logits = self.network(leaf)[:size]
            losses = loss(logits, labels)
            (gradient,) = torch.autograd.grad(losses.sum(), leaf)
        return logits.detach(), losses.detach(), gradient[:size]

    def _padded(self, images: Tensor) -> Tensor:
        few = self.folded and torch.get_num_threads() == 1
        return pad(images, FOLDED_ROWS if few else LEAST_ROWS)


def pad(images: Tensor, rows: int = LEAST_ROWS) -> Tensor:
    """Return a batch with at least so many images: the first one is repeated."""
    missing = rows - len(images)
    return images if missing <= 0 else torch.cat([images, images[:1].expand(missing, -1, -1, -1)])


def _forward(network: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        return network(images)


def _channels_last(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last)
