"""Where the samples and the channels of a feature lie, followed from the images on.

A shape does not say it: (B, C, L) is what a one-dimensional convolution gives and (B, T, C) what a
transformer has; (B, C, H, W) and (B, H, W, C) are both met, and tokens may come before samples or
be folded into them. So the two axes are followed through every operation, as far as it is known
what it does to them; where it is not, nothing is claimed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

__all__ = [
    "NOWHERE", "VIEWS", "Axes", "Axis", "channels_second", "followed", "of_product",
    "rows_of_channels", "sample_first", "seen_as", "sums",
]  # fmt: skip

VIEWS = {"view", "_unsafe_view", "reshape", "_reshape_alias", "unflatten"}
REDUCTIONS = {
    "mean", "sum", "amax", "amin", "prod", "var", "std", "logsumexp", "linalg_vector_norm", "norm",
    "max", "min", "median", "any", "all",
}  # fmt: skip
BROADCASTING = {"add", "sub", "mul", "div", "expand", "repeat", "maximum", "minimum", "where"}


@dataclass(frozen=True)
class Axis:
    """A part of a dimension: ``size`` entries between ``outer`` and ``inner`` others of it."""

    place: int
    size: int
    outer: int = 1
    inner: int = 1

    @property
    def whole(self) -> bool:
        """Say whether it is the whole dimension."""
        return self.outer == self.inner == 1


@dataclass(frozen=True)
class Axes:
    """Where samples and channels lie; None where that is not known."""

    sample: Axis | None = None
    channel: Axis | None = None


NOWHERE = Axes()


def sample_first(features: Tensor, axes: Axes, count: int) -> Tensor | None:
    """Return features as (B, …), all units of an image behind it; None where that is not known."""
    axis = axes.sample
    if axis is None or axis.size != count:
        return features.flatten(1) if len(features) == count else None
    return _front(features, axis).flatten(1)


def rows_of_channels(features: Tensor, axes: Axes) -> Tensor:
    """Return features as (positions of all images, channels).

    Where it is not known which axis the channels are, it is the second of feature maps, and the
    last of all else.
    """
    place = 1 if features.dim() > 3 else features.dim() - 1
    axis = axes.channel or Axis(place, features.shape[place])
    return _front(features, axis).flatten(1).mT


def sums(values: Tensor, axes: Sequence[Axis]) -> Tensor:
    """Return the sums of a tensor over all but some axes, in one dimension for each of these."""
    places = [axis.place for axis in axes]
    if len(set(places)) == len(places) and all(axis.whole for axis in axes):
        rest = [place for place in range(values.dim()) if place not in places]
        ordered = values.permute([*places, *rest])
        return ordered.flatten(len(places)).sum(-1) if rest else ordered
    numbers = torch.zeros((), dtype=torch.int64, device=values.device)
    for axis in axes:
        along = torch.arange(values.shape[axis.place], device=values.device)
        along = along // axis.inner % axis.size
        shape = [-1 if place == axis.place else 1 for place in range(values.dim())]
        numbers = numbers * axis.size + along.view(shape)
    sizes = [axis.size for axis in axes]
    found = values.new_zeros(math.prod(sizes))
    found.index_add_(0, numbers.expand(values.shape).flatten(), values.flatten())
    return found.view(sizes)


def _front(features: Tensor, axis: Axis) -> Tensor:
    parts = features.unflatten(axis.place, (axis.outer, axis.size, axis.inner))
    return parts.movedim(axis.place + 1, 0)


def channels_second(features: Tensor, axes: Axes) -> Tensor:
    """Return features as (B, C, positions…).

    Axes that are known are whole dimensions; others are those of `rows_of_channels`.
    """
    image, channel = axes.sample, axes.channel
    if image is None or channel is None:
        return features if features.dim() > 3 else features.movedim(-1, 1)
    return features.movedim((image.place, channel.place), (0, 1))


def seen_as(view: Tensor, axes: Axes) -> Axes:
    """Return the axes of a view from those of all that lies in its memory, in the same order."""
    base = view._base
    if base is None or base.numel() != view.numel():
        return NOWHERE
    if base.shape == view.shape and base.stride() == view.stride():
        return axes
    if not (base.is_contiguous() and view.is_contiguous()):
        return NOWHERE
    return Axes(*(
        None if axis is None else _viewed(axis, base.shape, view.shape)
        for axis in (axes.sample, axes.channel)
    ))  # fmt: skip


def of_product(name: str, weights: Tensor, left: bool, moving: Axes, output: Tensor) -> Axes:
    """Return the axes of a product of something with axes and weights, on its left or right."""
    sample, last = moving.sample, output.dim() - 1
    if name == "convolution":
        sample = sample if sample is not None and sample.place == 0 else None
        return Axes(sample, Axis(1, output.shape[1]))
    if weights.dim() < 2 or not last:  # of a vector: one number a row
        kept = sample if sample is not None and sample.place < output.dim() else None
        return Axes(kept, None)
    place = last - 1 if left else last  # where the other factor has what is added up
    kept = sample if sample is not None and sample.place != place else None
    return Axes(kept, Axis(place, output.shape[place]))


def followed(name: str, named: dict[str, Any], known: list[tuple[Tensor, Axes]],
             output: Tensor) -> Axes:  # fmt: skip
    """Return the axes of an operation's result.

    Args:
        name: the operation.
        named: its arguments by name.
        known: the tensors among them that have axes.
        output: the result, or the first of several.
    """
    first, axes = known[0]
    if (
        name == "bmm" and len(known) == 2
    ):  # attention: the rows of the left, the columns of the right
        sample = next((a.sample for _, a in known if a.sample and a.sample.place == 0), None)
        column = known[1][1].channel
        return Axes(sample, column if column and column.place == 2 else None)
    if name in ("mm", "addmm", "linear", "bmm", "baddbmm"):
        return NOWHERE  # of two features
    moved = _moved(name, named, first, output)
    if moved is None:
        return _aligned(name, known, output)
    return Axes(*(None if axis is None else moved(axis) for axis in (axes.sample, axes.channel)))


def _moved(name: str, named: dict[str, Any], first: Tensor, output: Tensor) -> Any:
    """Return what an operation that changes the dimensions does to an axis; None for others."""
    count = first.dim()
    if name in VIEWS:
        return lambda axis: _viewed(axis, first.shape, output.shape)
    if name == "permute":
        order = [d % count for d in named["dims"]]
        return lambda axis: replace(axis, place=order.index(axis.place))
    if name == "t" or (name in ("transpose", "swapaxes", "swapdims") and "dim0" in named):
        pair = (named.get("dim0", 0) % count, named.get("dim1", count - 1) % count)
        order = list(range(count))
        order[pair[0]], order[pair[1]] = pair[1], pair[0]
        return lambda axis: replace(axis, place=order.index(axis.place))
    if name in ("unsqueeze", "stack"):
        place = named.get("dim", 0) % output.dim()
        return lambda axis: replace(axis, place=axis.place + (axis.place >= place))
    if name in ("select", "unbind"):
        gone = {named.get("dim", 0) % count}
    elif name == "squeeze":
        asked = named.get("dim", list(range(count)))
        asked = [asked] if isinstance(asked, int) else asked
        gone = {d % count for d in asked if first.shape[d] == 1}
        if first.dim() - len(gone) != output.dim():
            return lambda axis: None
    elif name in REDUCTIONS and output.dim() <= count:
        asked = named.get("dim")
        asked = list(range(count)) if asked in (None, []) else asked
        gone = {d % count for d in ([asked] if isinstance(asked, int) else asked)}
        if named.get("keepdim"):
            return lambda axis: None if axis.place in gone else axis
    else:
        return None
    return lambda axis: (
        None if axis.place in gone
        else replace(axis, place=axis.place - sum(d < axis.place for d in gone))
    )  # fmt: skip


def _viewed(axis: Axis, before: Sequence[int], after: Sequence[int]) -> Axis | None:
    """Return where an axis is after its memory got another shape."""
    outside, passed = math.prod(before[: axis.place]) * axis.outer, 1
    for place, length in enumerate(after):
        outer, rest = divmod(outside, passed)
        if rest == 0 and length and length % (outer * axis.size) == 0:
            return Axis(place, axis.size, outer, length // (outer * axis.size))
        passed *= length
    return None


def _aligned(name: str, known: list[tuple[Tensor, Axes]], output: Tensor) -> Axes:
    """Return the axes of what is computed entry by entry, window by window, or put together."""
    sample = channel = None
    for tensor, axes in known:
        shift = output.dim() - tensor.dim()
        if shift > 0 and name not in BROADCASTING:
            shift = 0
        sample = sample or _kept(axes.sample, tensor, output, shift)
        if axes.channel is not None and output.dim() == tensor.dim() + shift:
            place = axes.channel.place + shift
            # A whole dimension may be cut, or put together.
            found = Axis(place, output.shape[place]) if axes.channel.whole else None
            channel = channel or _kept(axes.channel, tensor, output, shift) or found
    return Axes(sample, channel)


def _kept(axis: Axis | None, tensor: Tensor, output: Tensor, shift: int) -> Axis | None:
    if axis is None or (shift < 0 and axis.place > 0):
        return None
    place = axis.place + max(0, shift)
    same = place < output.dim() and output.shape[place] == tensor.shape[axis.place]
    return replace(axis, place=place) if same else None
