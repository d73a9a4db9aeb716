"""State dicts of networks whose genotype had its edges in another order.

A node's two edges can be told in either order, and parameters are numbered by it. Loading weights
into the network of an equal genotype in another order may succeed and give another function;
hence the weights go through here first.
"""

import re
from collections.abc import Mapping

from torch import Tensor

from testbed.spaces.darts.genotype import INPUTS, NODES, Genotype, input_order
from testbed.spaces.darts.sizes import reductions

__all__ = ["canonical_state"]

_EDGE = re.compile(r"cells\.(\d+)\._ops\.(\d+)\.(.*)", re.DOTALL | re.ASCII)


def canonical_state(
    genotype: Genotype, depth: int, state: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return weights of a genotype's network renamed for that of ``genotype.canonical``.

    Args:
        genotype: the cells, with the edges in the order that the weights were made with.
        depth: the number of cells.
        state: the state dict, with the names of `testbed.spaces.darts.network.Network` or of
            the authors' class.
    """
    found = {}
    for key, value in state.items():
        parts = _EDGE.fullmatch(key)
        if parts:
            cell, edge = int(parts[1]), int(parts[2])
            edges = genotype.reduce if cell in reductions(depth) else genotype.normal
            if edge < INPUTS * NODES and _turned(edges[edge & ~1], edges[edge | 1]):
                key = f"cells.{cell}._ops.{edge ^ 1}.{parts[3]}"
        found[key] = value
    return found


def _turned(one: tuple[str, int], other: tuple[str, int]) -> bool:
    return input_order(one) > input_order(other)
