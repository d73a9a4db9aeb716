"""The blocks of a network: what lies between two feature maps that everything passes through.

A block ends where all paths from the images to the logits meet in one tensor with positions, in
front of the next convolution or matrix product: the stem, each residual block, each layer of a
plain network. No name of a module is read. A network of a search space may know its blocks
(``blocks_in_turn``): of NAS-Bench-201 the stem, each cell and each reduction, also where a cell has
no convolution, or one path only, on which the graph shows no end.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from proxies.axes import NOWHERE, Axes, channels_second
from proxies.conditions import UndefinedError
from proxies.loss_gradients import require_weights
from proxies.probe import Probe
from proxies.tape import record
from testbed.networks.copying import working_copy
from testbed.networks.normalise import behind_normalisation
from testbed.networks.strides import safe_strides
from testbed.spaces.design import designs

__all__ = ["Blocks", "blocks"]


@dataclass(frozen=True)
class Blocks:
    """The ends of the blocks, with their graph, from the first on, and how their axes lie."""

    ends: list[Tensor]
    axes: list[Axes]

    def features(self) -> list[Tensor]:
        """Return the ends without their graph, as (positions of all images, channels)."""
        return [
            channels_second(end.detach(), axes).movedim(1, -1).flatten(0, -2)
            for end, axes in zip(self.ends, self.axes, strict=True)
        ]


def blocks(probe: Probe) -> Blocks:
    """Return the blocks of a probe's network.

    Raises:
        UndefinedError: if there is no feature map that all paths pass through.
    """
    return probe.shared("blocks", lambda: _blocks(probe))


def _blocks(probe: Probe) -> Blocks:
    require_weights(probe.tape)  # whose logits are finite
    network, images = behind_normalisation(
        working_copy(probe.network), probe.fast.arrange(probe.images).detach()
    )
    known = getattr(network, "blocks_in_turn", None) if designs(network) else None
    if known is not None:
        network.requires_grad_(False)
        ends = _in_turn(known(), images)
        return Blocks(ends, [NOWHERE] * len(ends))
    return _of_graph(probe)


def _in_turn(modules: Sequence[nn.Module], images: Tensor) -> list[Tensor]:
    ends, features = [], images.clone().requires_grad_()
    with torch.enable_grad(), safe_strides():
        for module in modules:
            features = module(features)
            ends.append(features)
    return ends


def _of_graph(probe: Probe) -> Blocks:
    tape = probe.tape
    tape = record(probe.network, probe.fast.arrange(probe.images), set(tape.bottlenecks()))
    count = len(probe.images)
    maps = [
        place for place, kept in sorted(tape.kept.items())
        if _is_map(kept, tape.kept_axes[place], count)
    ]  # fmt: skip
    products = [product.number - tape.start for product in tape.products]
    maps = [place for place in maps if products and place >= products[0]]
    chosen = [
        place for place, following in zip(maps, [*maps, None][1:], strict=True)
        if following is None or any(place < product <= following for product in products)
    ]  # fmt: skip
    if not chosen:
        raise UndefinedError(
            "the network has no feature map that all paths pass through: there are no blocks"
        )
    return Blocks([tape.kept[p] for p in chosen], [tape.kept_axes[p] for p in chosen])


def _is_map(features: Tensor, axes: Axes, count: int) -> bool:
    """Say whether features have images, channels and several positions."""
    if not features.requires_grad or not features.numel():
        return False
    if axes.sample is None or axes.channel is None:
        known = len(features) == count and features.dim() in (3, 4)
        channels = features.shape[1 if features.dim() == 4 else -1]
        return known and features.numel() > count * channels
    whole = axes.sample.whole and axes.channel.whole and axes.sample.size == count
    return whole and features.numel() > count * axes.channel.size
