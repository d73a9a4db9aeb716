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

from proxies.conditions import UndefinedError
from proxies.loss_gradients import require_weights
from proxies.probe import Probe
from proxies.tape import record
from testbed.networks.copying import working_copy
from testbed.networks.normalise import behind_normalisation
from testbed.networks.strides import safe_strides
from testbed.spaces.design import designs

__all__ = ["Blocks", "blocks", "channels_last_rows"]


@dataclass(frozen=True)
class Blocks:
    """The ends of the blocks, with their graph, from the first on; (B, C, H, W) or (B, T, C)."""

    ends: list[Tensor]


def blocks(probe: Probe) -> Blocks:
    """Return the blocks of a probe's network.

    Raises:
        UndefinedError: if there is no feature map that all paths pass through.
    """
    return probe.shared("blocks", lambda: _blocks(probe))


def channels_last_rows(features: Tensor) -> Tensor:
    """Return feature maps as (positions of all images, channels)."""
    if features.dim() == 4:
        features = features.movedim(1, -1)
    return features.flatten(0, -2)


def _blocks(probe: Probe) -> Blocks:
    require_weights(probe.tape)  # whose logits are finite
    network, images = behind_normalisation(
        working_copy(probe.network), probe.fast.arrange(probe.images).detach()
    )
    known = getattr(network, "blocks_in_turn", None) if designs(network) else None
    if known is not None:
        network.requires_grad_(False)
        return Blocks(_in_turn(known(), images))
    return Blocks(_of_graph(probe))


def _in_turn(modules: Sequence[nn.Module], images: Tensor) -> list[Tensor]:
    ends, features = [], images.clone().requires_grad_()
    with torch.enable_grad(), safe_strides():
        for module in modules:
            features = module(features)
            ends.append(features)
    return ends


def _of_graph(probe: Probe) -> list[Tensor]:
    tape = probe.tape
    tape = record(probe.network, probe.fast.arrange(probe.images), set(tape.bottlenecks()))
    count = len(probe.images)
    maps = {place: kept for place, kept in sorted(tape.kept.items()) if _is_map(kept, count)}
    products = [product.number - tape.start for product in tape.products]
    maps = {place: kept for place, kept in maps.items() if products and place >= products[0]}
    places, ends = list(maps), []
    for place, following in zip(places, [*places, None][1:], strict=True):
        if following is None or any(place < product <= following for product in products):
            ends.append(maps[place])
    if not ends:
        raise UndefinedError(
            "the network has no feature map that all paths pass through: there are no blocks"
        )
    return ends


def _is_map(features: Tensor, count: int) -> bool:
    if not features.requires_grad or len(features) != count:
        return False
    if features.dim() == 4:
        return features.shape[2] * features.shape[3] > 1
    return features.dim() == 3 and features.shape[1] > 1
