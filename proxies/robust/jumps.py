"""What jumps with the images: comparisons of features, places of the largest, and what they gate.

A function that jumps carries a difference infinitely far. A feature times the mask of its own sign,
a ReLU written by hand, does not jump.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from proxies.robust.norms import without

__all__ = ["Jumps", "memory"]

SIGNS = {"gt", "ge", "lt", "le"}
# What hands a mask on as it is, or the other way round.
HANDED = {"_to_copy", "clone", "detach", "alias", "logical_not", "bitwise_not", "view", "unsqueeze"}


def memory(tensor: Tensor) -> int:
    """Return what tells the memory of a tensor, which its views share."""
    return tensor.untyped_storage()._cdata


class Jumps:
    """Follows comparisons and choices of features, memory by memory."""

    def __init__(self) -> None:
        # With the memory of the features whose sign it is; kept, as an address may be reused.
        self._known: dict[int, tuple[int | None, Any]] = {}

    def __contains__(self, tensor: Tensor) -> bool:
        return memory(tensor) in self._known

    def see(
        self, name: str, args: Any, given: Sequence[Tensor], outputs: Sequence[Tensor]
    ) -> Tensor | bool:
        """Look at an operation of which something moves with the images.

        Args:
            name: the operation.
            args: what it was given.
            given: the tensors among that.
            outputs: the tensors of its result.

        Returns:
            The features that it gates by their own sign; or whether its result jumps itself.

        Raises:
            UndefinedError: if the result has a part that jumps.
        """
        held = [self._known[memory(tensor)][0] for tensor in given if tensor in self]
        if held and name not in HANDED and any(out.is_floating_point() for out in outputs):
            gated = next((tensor for tensor in given if tensor not in self), None)
            if name != "mul" or gated is None or held[0] != memory(gated):
                raise without("a comparison or a choice of features")
            return gated
        source = held[0] if held and name in HANDED else None
        if name in SIGNS and not held:
            zero = float(torch.as_tensor(args[1]).abs().max()) == 0
            source = memory(args[0]) if zero else None
        for out in outputs:
            if held or not out.is_floating_point():
                self._known[memory(out)] = source, out.untyped_storage()
        return bool(held)
