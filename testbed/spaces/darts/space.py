"""The record of the search space of DARTS: some 10¹⁸ pairs of a normal and a reduction cell."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any, ClassVar

from testbed.spaces.darts import cost
from testbed.spaces.darts.encoding import encode
from testbed.spaces.darts.genotype import INPUTS, NODES, Edge, Genotype
from testbed.spaces.darts.neighbours import DERIVED, neighbours
from testbed.spaces.darts.sizes import check_size
from testbed.spaces.space import Cell, SearchSpace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

__all__ = ["DARTS"]

INNER = range(INPUTS, INPUTS + NODES)
# As the paper's figures call them: two inputs, four nodes, the output.
STATES = ("c_{k-2}", "c_{k-1}", *map(str, range(NODES)), "c_{k}")
CELLS = ("normal", "reduce")
BEGINNINGS = ("darts_", "Genotype(", "{")


def _choices() -> dict[str, Sequence[Any]]:
    found: dict[str, Sequence[Any]] = {}
    for cell in CELLS:
        for node in INNER:
            found[f"{cell} {node} reads"] = tuple(combinations(range(node), 2))
            found[f"{cell} {node} first"] = found[f"{cell} {node} second"] = DERIVED
    return found


class DARTS(SearchSpace[Genotype]):
    """Liu, Simonyan and Yang, "DARTS: Differentiable Architecture Search", ICLR 2019.

    A genotype that is drawn has no ``none`` and reads two different nodes, as the search derives
    them; one that is given may differ.
    """

    key = "darts"
    title = "the search space of DARTS"
    cites = ("liu2019darts",)
    example = Genotype(*2 * ((("sep_conv_3x3", 0), ("sep_conv_3x3", 1)) * NODES,)).name
    choices: ClassVar[Mapping[str, Sequence[Any]]] = _choices()
    sizes: ClassVar[Mapping[str, int]] = {"channels": 36, "cells": 20}

    def parse(self, text: str) -> Genotype:
        """Read a name, ``Genotype(normal=[…], …)`` as published, or JSON of the same fields."""
        return Genotype.parse(text).canonical

    def claims(self, text: str) -> bool:
        """Say whether a text begins as one of the forms does."""
        return text.startswith(BEGINNINGS)

    def name(self, genotype: Genotype) -> str:
        """Return the short name, the same for equal genotypes."""
        return genotype.name

    def compose(self, options: Mapping[str, Any]) -> Genotype:
        """Return the genotype of what each node reads, and the operations on it."""
        return Genotype(
            *(
                tuple(
                    (options[f"{cell} {node} {place}"], source)
                    for node in INNER
                    for place, source in zip(
                        ("first", "second"), options[f"{cell} {node} reads"], strict=True
                    )
                )
                for cell in CELLS
            )
        )

    def options(self, genotype: Genotype) -> dict[str, Any]:
        """Return what each node reads, and the operations on it."""
        found: dict[str, Any] = {}
        for cell, edges in genotype.canonical.cells.items():
            for node, (one, other) in zip(INNER, _pairs(edges), strict=True):
                found[f"{cell} {node} reads"] = one[1], other[1]
                found[f"{cell} {node} first"], found[f"{cell} {node} second"] = one[0], other[0]
        return found

    def build(
        self, genotype: Genotype, *, classes: int = 10, in_channels: int = 3, **sizes: int
    ) -> "nn.Module":
        """Return the network for CIFAR: C ``channels`` at first, ``cells`` in all, no second head.

        The auxiliary head of training is an argument of `testbed.spaces.darts.network.Network`.
        """
        self.check(classes=classes, in_channels=in_channels, **sizes)
        from testbed.spaces.darts.network import Network

        return Network(genotype.canonical, *self._size(sizes), classes, in_channels)

    def check(self, *, classes: int = 10, in_channels: int = 3, **sizes: int) -> None:
        """Refuse a network that is too large to be meant."""
        super().check(**sizes)
        check_size(*self._size(sizes), classes, in_channels)

    def representative(self, genotype: Genotype) -> Genotype:
        """Return the equal genotype whose nodes have their edges in the order of the sources."""
        return genotype.canonical

    def neighbours(self, genotype: Genotype) -> list[Genotype]:
        """Return the genotypes that differ in one operation, or in one node that is read."""
        return neighbours(genotype)

    def encode(self, genotypes: Sequence[Genotype]) -> "NDArray[np.float32]":
        """Return which operation each possible edge has, (n, 224); see `encoding.encode`."""
        import numpy as np

        return np.array([encode(one) for one in genotypes], np.float32).reshape(len(genotypes), -1)

    def parameters(
        self, genotype: Genotype, *, classes: int = 10, in_channels: int = 3, **sizes: int
    ) -> int:
        """Return the number of parameters in closed form."""
        return cost.parameters(genotype, *self._size(sizes), classes, in_channels)

    def flops(
        self,
        genotype: Genotype,
        *,
        classes: int = 10,
        in_channels: int = 3,
        resolution: int = 32,
        **sizes: int,
    ) -> int | None:
        """Return the multiply-accumulates in closed form; None where sizes are rounded."""
        if resolution % 4:
            return None
        return cost.flops(genotype, *self._size(sizes), classes, in_channels, resolution)

    def cells(self, genotype: Genotype) -> tuple[Cell, ...]:
        """Return the normal and the reduction cell: two inputs, four nodes, all joined."""
        return _drawn("normal", genotype.normal), _drawn("reduction", genotype.reduce)

    def _size(self, sizes: Mapping[str, int]) -> tuple[int, int]:
        whole = {**self.sizes, **sizes}
        return whole["channels"], whole["cells"]


def _pairs(edges: Sequence[Edge]) -> list[tuple[Edge, Edge]]:
    return [(edges[place], edges[place + 1]) for place in range(0, len(edges), 2)]


def _drawn(title: str, edges: Sequence[Edge]) -> Cell:
    inner = [(source, INPUTS + place // 2, op) for place, (op, source) in enumerate(edges)]
    reached, live = set(range(INPUTS)), []
    for source, node, operation in inner:
        live.append(operation != "none" and source in reached)
        if live[-1]:
            reached.add(node)
    joins = [(node, len(STATES) - 1, "concatenate") for node in INNER]
    return Cell(title, STATES, (*inner, *joins), (*live, *(node in reached for node in INNER)))
