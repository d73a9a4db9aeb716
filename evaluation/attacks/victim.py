"""The network as an attack sees it: logits and gradients, counted.

An attack works on the fast copy (`testbed.networks.fast`): the same function up to rounding, at
about two thirds of the cost. What counts in the end is judged on the network itself.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from testbed.networks.copying import working_copy
from testbed.networks.fast import fast_copy

__all__ = ["LEAST_ROWS", "Loss", "Victim", "pad"]

Loss = Callable[[Tensor, Tensor], Tensor]  # logits (N, K), labels (N,) → losses (N,)

# Below this many rows, kernels add up in another order: an image's last bits would depend on
# how many neighbours it has.
LEAST_ROWS = 16


class Victim:
    """A copy of a network for attacks; counts what they ask of it.

    Attributes:
        queries: forward passes so far, in images.
        gradients: backward passes so far, in images.
        copy: the copy that is asked, and which tricks it does without.
    """

    def __init__(self, network: nn.Module, probe: Tensor) -> None:
        self.queries = self.gradients = 0
        self.copy = fast_copy(working_copy(network).eval(), probe)
        self.network = self.copy.network

    @property
    def classes(self) -> int:
        """The number of logits, K."""
        return self.copy.classes

    @property
    def folded(self) -> bool:
        """Whether the copy has all its tricks: folded batch norms, layout, frozen weights."""
        return not self.copy.given_up

    @property
    def no_gradient(self) -> str | None:
        """Why gradients over the images say nothing, or None: they are zero then."""
        if self.copy.alone.connected:
            return self.copy.alone.reason
        return "no path of derivatives leads from the images to the logits"

    def arrange(self, images: Tensor) -> Tensor:
        """Return images in the memory layout that the copy is fastest with."""
        return self.copy.arrange(images)

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
        if self.no_gradient is not None:
            logits = _forward(self.network, self._padded(images))[:size]
            return logits, loss(logits, labels), torch.zeros_like(images)
        leaf = self._padded(images).detach().requires_grad_()
        with torch.enable_grad():
            logits = self.network(leaf)[:size]
            losses = loss(logits, labels)
            (gradient,) = torch.autograd.grad(losses.sum(), leaf, materialize_grads=True)
        return logits.detach(), losses.detach(), gradient[:size]

    def _padded(self, images: Tensor) -> Tensor:
        return pad(images, self.copy.least_rows)


def pad(images: Tensor, rows: int = LEAST_ROWS) -> Tensor:
    """Return a batch with at least so many images: the first one is repeated."""
    missing = rows - len(images)
    return images if missing <= 0 else torch.cat([images, images[:1].expand(missing, -1, -1, -1)])


def _forward(network: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        return network(images)
