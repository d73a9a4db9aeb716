"""The record of NATS-Bench's size space: five widths of eight choices, 32,768 networks."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from testbed.spaces.size import cost
from testbed.spaces.size.genotype import (
    BLOCKS,
    NAME,
    SIZE,
    WIDTHS,
    Genotype,
    GenotypeError,
    enumerate_space,
)
from testbed.spaces.space import SearchSpace

if TYPE_CHECKING:
    from torch import nn

__all__ = ["SizeSpace"]


class SizeSpace(SearchSpace[Genotype]):
    """Dong, Liu, Musial and Gabrys, "NATS-Bench", IEEE TPAMI 2021: the space S_s."""

    key = "size"
    title = "NATS-Bench's size space"
    cites = ("dong2022nats",)
    example = "8:16:24:32:40"
    choices: ClassVar[Mapping[str, Sequence[Any]]] = {
        f"block {block + 1}": WIDTHS for block in range(BLOCKS)
    }
    sizes: ClassVar[Mapping[str, int]] = {}

    def parse(self, text: str) -> Genotype:
        """Read the official name, ``8:16:24:32:40``."""
        return Genotype.parse(text)

    def claims(self, text: str) -> bool:
        """Say whether a text is numbers with colons between."""
        return ":" in text and NAME.fullmatch(text) is not None

    def name(self, genotype: Genotype) -> str:
        """Return the official name."""
        return genotype.name

    def compose(self, options: Mapping[str, Any]) -> Genotype:
        """Return the genotype of a width for each block."""
        return Genotype(tuple(options[block] for block in self.choices))

    def options(self, genotype: Genotype) -> dict[str, Any]:
        """Return the width of each block."""
        return dict(zip(self.choices, genotype.widths, strict=True))

    @cached_property
    def genotypes(self) -> Sequence[Genotype]:
        """Return all networks in the order of their published ids."""
        return tuple(enumerate_space())

    def number(self, genotype: Genotype) -> int:
        """Return the published id: lexicographic in the widths."""
        return genotype.index

    def numbered(self, number: int) -> Genotype:
        """Return the network of a published id."""
        if not 0 <= number < SIZE:
            raise GenotypeError(
                f"architecture id {number} is outside the space: expected 0 to {SIZE - 1}"
            )
        return Genotype.from_index(number)

    def build(
        self, genotype: Genotype, *, classes: int = 10, in_channels: int = 3, **sizes: int
    ) -> "nn.Module":
        """Return the network; its size is its genotype."""
        self.check(classes=classes, in_channels=in_channels, **sizes)
        from testbed.spaces.size.network import Network

        return Network(genotype, classes, in_channels)

    def parameters(
        self, genotype: Genotype, *, classes: int = 10, in_channels: int = 3, **sizes: int
    ) -> int:
        """Return the number of parameters in closed form."""
        return cost.parameters(genotype, classes, in_channels)

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
        return None if resolution % 4 else cost.flops(genotype, classes, in_channels, resolution)

    def archive_dataset(self, images: str) -> str | None:
        """Return the name of a data set in the archives; never cifar10-valid, half of it."""
        from testbed.spaces.nasbench201.archive.datasets import of_images

        return of_images(images)

    def archive(self, path: Path) -> Any:
        """Return the reader of a NATS-Bench size archive."""
        from testbed.spaces.size.archive import open_archive

        return open_archive(path)
