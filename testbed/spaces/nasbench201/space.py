"""The record of NAS-Bench-201: five operations on each of six edges, 15,625 cells."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from testbed.basis.foreign_text import quoted
from testbed.spaces.nasbench201 import cost
from testbed.spaces.nasbench201.functional_twins import functional_twins
from testbed.spaces.nasbench201.genotype import (
    EDGES,
    OPERATIONS,
    Genotype,
    GenotypeError,
    enumerate_space,
)
from testbed.spaces.nasbench201.isomorphism import representative, unique_ids
from testbed.spaces.nasbench201.names import SELECTION_HELP
from testbed.spaces.nasbench201.paths import (
    CONV1,
    CONV3,
    PATH_STATISTICS,
    POOL,
    SKIP,
    live_count,
)
from testbed.spaces.nasbench201.regimes import REGIME_SCORES
from testbed.spaces.nasbench201.sizes import check_size
from testbed.spaces.space import Cell, SearchSpace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

__all__ = ["NASBench201"]


class NASBench201(SearchSpace[Genotype]):
    """Dong and Yang, "NAS-Bench-201", ICLR 2020."""

    key = "nasbench201"
    title = "NAS-Bench-201"
    by_number = True
    cites = ("dong2020nasbench201",)
    example = str(Genotype(("nor_conv_3x3",) * 6))
    choices: ClassVar[Mapping[str, Sequence[Any]]] = {f"{a}→{b}": OPERATIONS for a, b in EDGES}
    sizes: ClassVar[Mapping[str, int]] = {"channels": 16, "cells": 5}

    def parse(self, text: str) -> Genotype:
        """Read an architecture string, or NASLib's six numbers, ``(4, 0, 3, 1, 4, 3)``."""
        if not text.startswith("("):
            return Genotype.parse(text)
        numbers = [number.strip() for number in text.strip("()").split(",")]
        plain = all(n.isascii() and n.isdecimal() and len(n) < 100 for n in numbers)
        if not text.endswith(")") or not plain:
            raise GenotypeError(
                f"expected six operations such as (4, 0, 3, 1, 4, 3); got {quoted(text)}"
            )
        return Genotype.from_naslib([int(number) for number in numbers])

    def claims(self, text: str) -> bool:
        """Say whether a text begins as a name does."""
        return text.startswith(("|", "("))

    def compose(self, options: Mapping[str, Any]) -> Genotype:
        """Return the genotype of an operation for each edge."""
        return Genotype(tuple(options[edge] for edge in self.choices))

    def options(self, genotype: Genotype) -> dict[str, Any]:
        """Return the operation of each edge."""
        return dict(zip(self.choices, genotype.operations, strict=True))

    def build(
        self, genotype: Genotype, *, classes: int = 10, in_channels: int = 3, **sizes: int
    ) -> "nn.Module":
        """Return the network, of C ``channels`` in its first stage and N ``cells`` in each."""
        from testbed.spaces.nasbench201.network import Network

        return Network(genotype, classes=classes, in_channels=in_channels, **sizes)

    def representative(self, genotype: Genotype) -> Genotype:
        """Return the cell of the lowest id in the isomorphism class."""
        return representative(genotype)

    @cached_property
    def genotypes(self) -> Sequence[Genotype]:
        """Return all cells in the order of their published ids."""
        return enumerate_space()

    @cached_property
    def unique(self) -> Sequence[Genotype]:
        """Return the 6,466 cells that stand for their classes."""
        return tuple(map(Genotype.from_index, unique_ids()))

    def number(self, genotype: Genotype) -> int:
        """Return the published id."""
        return genotype.index

    def numbered(self, number: int) -> Genotype:
        """Return the cell of a published id."""
        return Genotype.from_index(number)

    def encode(self, genotypes: Sequence[Genotype]) -> "NDArray[np.float32]":
        """Return BANANAS's truncated path encoding, (n, 20) of zeros and ones."""
        from testbed.spaces.nasbench201.path_encoding import path_encoding

        return path_encoding(genotypes)

    def parameters(
        self, genotype: Genotype, *, classes: int = 10, in_channels: int = 3, **sizes: int
    ) -> int:
        """Return the number of parameters in closed form."""
        return cost.parameters(genotype, classes=classes, in_channels=in_channels, **sizes)

    def flops(
        self,
        genotype: Genotype,
        *,
        classes: int = 10,
        in_channels: int = 3,
        resolution: int = 32,
        **sizes: int,
    ) -> int:
        """Return the published figure, which counts dead edges too."""
        return cost.flops(
            genotype, classes=classes, in_channels=in_channels, size=resolution, **sizes
        )

    @property
    def structure(self) -> Mapping[str, Callable[[Genotype], float]]:
        """Return what lies on the paths through the cell, and how many operations are live."""
        return STRUCTURE

    @property
    def baseline(self) -> str:
        """Return the fewest average poolings on any path."""
        return "paths_pool_min"

    def twins(self, genotypes: Collection[Genotype]) -> list[tuple[Genotype, ...]]:
        """Return the groups of one function; ids ascend within a group."""
        groups = functional_twins(genotype.index for genotype in genotypes)
        return [tuple(map(Genotype.from_index, group)) for group in groups]

    def cells(self, genotype: Genotype) -> tuple[Cell, ...]:
        """Return the cell: four nodes, six edges."""
        live = genotype.live_edges()
        edges = tuple((a, b, op) for (a, b), op in zip(EDGES, genotype.operations, strict=True))
        lives = tuple(number in live for number in range(len(EDGES)))
        return (Cell("", ("0: input", "1", "2", "3: output"), edges, lives),)

    def check(self, *, classes: int = 10, in_channels: int = 3, **sizes: int) -> None:
        """Refuse a network that is too large to be meant."""
        super().check(**sizes)
        check_size(classes=classes, in_channels=in_channels, **{**self.sizes, **sizes})

    def archive_dataset(self, images: str) -> str | None:
        """Return the name of a data set in the archives; never cifar10-valid, half of it."""
        from testbed.spaces.nasbench201.archive.datasets import of_images

        return of_images(images)

    def archive(self, path: Path) -> Any:
        """Return the reader of a NAS-Bench-201 or a NATS-Bench topology archive."""
        from testbed.spaces.nasbench201.archive import open_archive

        return open_archive(path)

    @property
    def words(self) -> str:
        """Return what ``--archs`` takes, in words."""
        return SELECTION_HELP


STRUCTURE: Mapping[str, Callable[[Genotype], float]] = {
    **PATH_STATISTICS,
    "live_conv3": partial(live_count, operation=CONV3),
    "live_conv1": partial(live_count, operation=CONV1),
    "live_pool": partial(live_count, operation=POOL),
    "live_skip": partial(live_count, operation=SKIP),
    **REGIME_SCORES,
}
