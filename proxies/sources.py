"""What a tensor of a forward pass depends on: the images, or parameters only."""

from torch import Tensor
from torch.autograd.graph import Node

from proxies.graph import LEAF, leaves, variable
from proxies.inner import Inner, Origin

__all__ = ["Sources"]


class Sources:
    """Tells by autograd's graph what tensors were made of; inside functions, by what was noted.

    Attributes:
        images: the leaf that the pass started from.
        inner: what was made inside functions.
        inside: whether the forward of a function is under way.
    """

    def __init__(self, images: Tensor) -> None:
        self.images, self.inner, self.inside = images, Inner(), False
        self._varies: dict[Node, bool] = {}

    def kind(self, tensor: Tensor) -> str:
        """Say what a tensor depends on: ``images``, ``parameters`` only, or ``nothing``."""
        if self.inside and (origin := self.inner.of(tensor)):
            return origin.kind
        if not tensor.requires_grad:
            return "nothing"
        if tensor.grad_fn is None:
            return "images" if tensor is self.images else "parameters"
        return "images" if self._varies_with_images(tensor.grad_fn) else "parameters"

    def origin(self, tensor: Tensor) -> Origin:
        """Return what a tensor was made of."""
        if self.inside and (origin := self.inner.of(tensor)):
            return origin
        kind = self.kind(tensor)
        return Origin(kind, frozenset(leaves(tensor)) if kind == "parameters" else frozenset())

    def _varies_with_images(self, top: Node) -> bool:
        waiting = [top]
        while waiting:
            node = waiting[-1]
            if node in self._varies:
                waiting.pop()
                continue
            below = [child for child, _ in node.next_functions if child is not None]
            unknown = [child for child in below if child not in self._varies]
            waiting += unknown
            if not unknown:
                own = node.name().endswith(LEAF) and variable(node) is self.images
                self._varies[node] = own or any(self._varies[child] for child in below)
        return self._varies[top]
