"""Feature maps whose positions a forward pass reduces to one number a channel.

A shape does not say where positions are: (B, C, H, W), (B, H, W, C) and tokens (B, T, C) are all
averaged somewhere, in one operation or one dimension after the other. So the axes of samples and
channels decide, as far as they are known; where they are not, a map is (B, C, H, W).
"""

from collections import deque
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from proxies.axes import NOWHERE, Axes, channels_second

__all__ = ["POOLS", "FeatureMap", "FeatureMaps"]

# Operations that may reduce all positions of a feature map to one. The first ones take away
# whole dimensions, perhaps one after the other.
WHOLE = {"mean", "sum", "amax", "max", "logsumexp"}
POOLS = WHOLE | {
    "avg_pool2d", "avg_pool3d", "_adaptive_avg_pool2d", "adaptive_avg_pool2d",
    "_adaptive_avg_pool3d", "adaptive_avg_pool3d", "max_pool2d_with_indices",
    "max_pool3d_with_indices", "adaptive_max_pool2d", "adaptive_max_pool3d",
}  # fmt: skip


@dataclass(frozen=True)
class FeatureMap:
    """Features with their graph, and where their samples and channels lie."""

    features: Tensor
    axes: Axes = NOWHERE

    @property
    def by_channel(self) -> Tensor:
        """Return the features as (B, C, positions…)."""
        if self.features.dim() == 4 and not _known(self.axes):
            return self.features
        return channels_second(self.features, self.axes)

    @property
    def positions(self) -> int:
        """Return the number of positions."""
        samples, channels, *_ = self.by_channel.shape
        return self.features.numel() // max(1, samples * channels)


class FeatureMaps:
    """Notes the maps whose positions become one, and the last map that has more than one.

    Attributes:
        pooled: the maps by the place of their first reduction among all operations of `POOLS`,
            each with the number of the node that makes one of its positions.
        last: the last maps (B, C, H, W) or (B, H, W, C) of more than one position that anything
            was made of, each with the number of what was made, which may lead nowhere.
    """

    def __init__(self, kept: int) -> None:
        self.pooled: dict[int, tuple[FeatureMap, int]] = {}
        self.last: deque[tuple[FeatureMap, int]] = deque(maxlen=kept)
        self._count = 0
        self._partly: dict[int, tuple[int, FeatureMap]] = {}  # by the node of the result

    def see(self, name: str, given: FeatureMap, result: Any, after: Axes, number: int) -> None:
        """Look at an operation: what it was given, and the axes of its result."""
        place = self._count
        self._count += name in POOLS
        if not given.features.requires_grad:
            return
        if given.features.dim() == 4 and given.positions > 1:
            self.last.append((given, number))
        if name not in POOLS:
            return
        output = result[0] if isinstance(result, tuple) else result
        if name in WHOLE and _known(after) and output.numel() < given.features.numel():
            self._partly[number] = self._begun(given) or (place, given)
        if _averages(given, output, after):
            place, source = self._begun(given) or (place, given)
            self.pooled[place] = source, number

    def _begun(self, given: FeatureMap) -> tuple[int, FeatureMap] | None:
        """Return the map that features are what is left of, after some of its dimensions went."""
        node = given.features.grad_fn
        return None if node is None else self._partly.get(node._sequence_nr())  # type: ignore[attr-defined]


def _averages(given: FeatureMap, output: Tensor, after: Axes) -> bool:
    """Say whether one number is left of all positions of each channel of each sample."""
    features, axes = given.features, given.axes
    if _known(axes):
        left = axes.sample.size * axes.channel.size  # type: ignore[union-attr]
        return _known(after) and output.numel() == left < features.numel()
    if features.dim() != 4:
        return False
    samples, channels, *size = features.shape
    return size != [1, 1] and output.numel() == samples * channels


def _known(axes: Axes) -> bool:
    """Say whether samples and channels are known to be dimensions of their own."""
    return all(axis is not None and axis.whole for axis in (axes.sample, axes.channel))
