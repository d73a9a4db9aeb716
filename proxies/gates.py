"""Units that are written by hand: ``x * (x > 0)``, ``where(x > 0, x, 0)``, ``x[x < 0] = 0``.

A comparison has no derivative, so nothing of it stands in the graph: it is followed by the masks
that it gives, to the operation that multiplies, chooses or overwrites by them.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from proxies.axes import Axes
from proxies.graph import tensors

__all__ = ["Gates"]

SIGNS = {"gt": 1, "ge": 1, "lt": -1, "le": -1}
GATES = {"mul", "where", "masked_fill", "index_put", "masked_scatter"}
# What hands a mask on, entry by entry.
HANDED = {
    "_to_copy", "to", "clone", "detach", "logical_not", "bitwise_not", "view", "reshape",
    "_unsafe_view", "unsqueeze", "expand", "permute", "transpose", "mul", "add", "sub", "rsub",
}  # fmt: skip


class Gates:
    """Follows comparisons of what depends on the images with a number."""

    def __init__(self, varies: Callable[[Tensor], bool]) -> None:
        self.varies = varies
        # By identity; each mask is kept, so that no other tensor gets its identity.
        self._masks: dict[int, tuple[Tensor, Tensor, Axes]] = {}

    def see(self, name: str, args: Any, axes: Axes, result: Any) -> tuple[Tensor, Axes] | None:
        """Return the input of the units that an operation opens and closes, with its axes.

        Args:
            name: the operation.
            args: what it was given.
            axes: of the first tensor that it was given.
            result: what it gave.
        """
        if name in SIGNS:
            self._compared(args, axes, result)
        if not self._masks:
            return None
        given = tensors(args)
        held = next((self._masks[id(t)] for t in given if id(t) in self._masks), None)
        if held is None:
            return None
        if name in GATES and any(self.varies(tensor) for tensor in given):
            return held[1:]
        if name in HANDED and isinstance(result, Tensor) and not result.requires_grad:
            self._masks[id(result)] = (result, *held[1:])
        return None

    def _compared(self, args: Any, axes: Axes, mask: Tensor) -> None:
        features, bound = args[:2]
        if not self.varies(features) or (isinstance(bound, Tensor) and self.varies(bound)):
            return
        self._masks[id(mask)] = mask, features.detach() - bound, axes
