"""Matrix products that are written out: ``(x[:, None] * weight).sum(-1)``.

Features are multiplied with weights entry by entry, and the products are added up along an axis
that both have. A scale of channels whose positions are averaged later is none: it has no positions.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor

from proxies.axes import NOWHERE, Axes, Axis

__all__ = ["Contraction", "Contractions"]


class Contraction(NamedTuple):
    """The factors of a product that was written out, and where its axes lie."""

    inputs: Tensor
    weights: Tensor
    axes: Axes


class Contractions:
    """Follows products entry by entry to the sum that makes matrix products of them."""

    def __init__(self, depends: Callable[[Tensor], str]) -> None:
        self._depends = depends
        # By identity; each result is kept, so that no other tensor gets its identity.
        self._spread: dict[int, tuple[Tensor, Tensor, Tensor]] = {}

    def see(self, name: str, args: Any, kwargs: Any, result: Any, axes: Axes) -> Contraction | None:
        """Return the product that an operation completes; None for most.

        Args:
            name: the operation.
            args: what it was given.
            kwargs: what it was given by name.
            result: what it gave.
            axes: where the samples and channels of the result lie.
        """
        if name == "mul" and isinstance(args[1], Tensor):
            kinds = {self._depends(tensor): tensor for tensor in args[:2]}
            if kinds.keys() == {"images", "parameters"}:
                self._spread[id(result)] = result, kinds["images"], kinds["parameters"]
        elif name == "sum" and (found := self._spread.get(id(args[0]))):
            dims = args[1] if len(args) > 1 else None
            keep = args[2] if len(args) > 2 else kwargs.get("keepdim", False)
            return _completed(*found, dims, bool(keep), axes)
        return None


def _completed(
    product: Tensor, inputs: Tensor, weights: Tensor, dims: list[int] | None, keep: bool, axes: Axes
) -> Contraction | None:
    count = product.dim()
    gone = {d % count for d in dims or range(count)}
    ours, theirs = ([1] * (count - t.dim()) + list(t.shape) for t in (inputs, weights))
    if not all(ours[d] == theirs[d] for d in gone) or all(ours[d] == 1 for d in gone):
        return None
    made = [d for d in range(count) if ours[d] == 1 and theirs[d] > 1]
    channel = axes.channel
    if len(made) == 1:
        place = made[0] - (0 if keep else sum(d < made[0] for d in gone))
        channel = Axis(place, theirs[made[0]])
    elif made or axes == NOWHERE:
        channel = None
    return Contraction(inputs, weights, Axes(axes.sample, channel))
