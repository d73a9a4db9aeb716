"""The record of NARes' space: three depths and three widths, 15,625 WideResNets."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from testbed.spaces.nares import cost
from testbed.spaces.nares.genotype import CHOICES, Genotype
from testbed.spaces.space import SearchSpace

if TYPE_CHECKING:
    from torch import nn

__all__ = ["NARes"]


class NARes(SearchSpace[Genotype]):
    """Zheng et al., "A Neural Architecture Dataset for Adversarial Robustness", 2025.

    Networks go by names: the published ids are by multiply-accumulates, which several share.
    """

    key = "nares"
    title = "NARes' space of WideResNets"
    cites = ("zheng2025nares",)
    example = "nares_4x8-5x10-7x16"
    has_numbers = False
    choices: ClassVar[Mapping[str, Sequence[Any]]] = CHOICES
    sizes: ClassVar[Mapping[str, int]] = {}

    def parse(self, text: str) -> Genotype:
        """Read ``nares_4x8-5x10-7x16``, or ``Arch(D1=4, W1=8, D2=5, W2=10, D3=7, W3=16)``."""
        return Genotype.parse(text)

    def claims(self, text: str) -> bool:
        """Say whether a text has the form of either."""
        return Genotype.claims(text)

    def name(self, genotype: Genotype) -> str:
        """Return depth × width of each stage."""
        return genotype.name

    def compose(self, options: Mapping[str, Any]) -> Genotype:
        """Return the network of D1, W1, D2, W2, D3 and W3."""
        return Genotype.of(dict(options))

    def options(self, genotype: Genotype) -> dict[str, Any]:
        """Return D1, W1, D2, W2, D3 and W3."""
        found = {f"D{n}": depth for n, depth in enumerate(genotype.depths, 1)}
        found |= {f"W{n}": width for n, width in enumerate(genotype.widths, 1)}
        return {choice: found[choice] for choice in CHOICES}

    def build(
        self, genotype: Genotype, *, classes: int = 10, in_channels: int = 3, **sizes: int
    ) -> "nn.Module":
        """Return the network; its size is its genotype."""
        self.check(classes=classes, in_channels=in_channels, **sizes)
        from testbed.spaces.nares.network import Network

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
        """Return the multiply-accumulates in closed form."""
        return cost.flops(genotype, classes, in_channels, resolution)
