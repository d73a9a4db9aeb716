"""Biases that are added behind a product, which layers do in one step or in two.

torch's own linear layer adds its bias in the product if its input lies in memory in order, and
behind it if not: what a product gives may not depend on that.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from proxies.axes import Axes
from proxies.operations import RESHAPED

__all__ = ["Biases"]


class Biases:
    """Follows the results of products to where a bias for each channel is added to them."""

    def __init__(self, of_parameters: Callable[[Tensor], bool]) -> None:
        self._of_parameters = of_parameters
        # By identity; each result is kept, so that no other tensor gets its identity.
        self._bare: dict[int, tuple[Tensor, int]] = {}

    def begin(self, output: Tensor, product: int) -> None:
        """Note what a product gives, without a bias so far, and the product's place."""
        self._bare[id(output)] = output, product

    def see(self, name: str, args: Any, kwargs: Any, result: Any, axes: Axes) -> int | None:
        """Return the place of the product that ends with an operation; None for most.

        Args:
            name: the operation.
            args: what it was given.
            kwargs: what it was given by name.
            result: what it gave.
            axes: where the samples and channels of the result lie.
        """
        held = self._bare.get(id(args[0])) if args else None
        if held is None:
            return None
        if name in RESHAPED:
            self._bare[id(result)] = result, held[1]
        elif name == "add" and isinstance(args[1], Tensor) and kwargs.get("alpha", 1) == 1:
            ends = result.shape == args[0].shape and _one_a_channel(args[1], result, axes)
            return held[1] if ends and self._of_parameters(args[1]) else None
        return None


def _one_a_channel(bias: Tensor, result: Tensor, axes: Axes) -> bool:
    channel = axes.channel
    if channel is None or not channel.whole:
        return False
    shape = [1] * result.dim()
    shape[channel.place] = channel.size
    return list(bias.shape) == shape[result.dim() - bias.dim() :]
