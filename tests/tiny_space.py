"""A search space of 27 tiny networks, as CONTRIBUTING.md says how one is written."""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from torch import nn

from testbed.spaces import GenotypeError, SearchSpace

KERNELS = (1, 3, 5)
WIDTHS = (4, 8, 12)


class Tiny(NamedTuple):
    """Two convolutions: kernels of both, and the width."""

    first: int
    second: int
    width: int

    def __str__(self) -> str:
        return f"tiny-{self.first}-{self.second}-{self.width}"


class TinySpace(SearchSpace[Tiny]):
    """Kernels 1, 3 or 5 of two convolutions, of 4, 8 or 12 channels."""

    key = "tiny"
    title = "the tiny space"
    example = "tiny-3-5-8"
    choices: ClassVar = {"first": KERNELS, "second": KERNELS, "width": WIDTHS}

    def parse(self, text: str) -> Tiny:
        word, *numbers = text.split("-")
        genotype = Tiny(*map(int, numbers)) if len(numbers) == 3 and all(
            number.isdecimal() for number in numbers
        ) else None  # fmt: skip
        options = {} if genotype is None else genotype._asdict()
        known = all(options.get(choice) in of for choice, of in self.choices.items())
        if word != "tiny" or genotype is None or not known:
            raise GenotypeError(f"expected a name such as {self.example}; got {text!r}")
        return genotype

    def compose(self, options: Mapping[str, Any]) -> Tiny:
        return Tiny(**options)

    def options(self, genotype: Tiny) -> dict[str, Any]:
        return genotype._asdict()

    def build(
        self, genotype: Tiny, *, classes: int = 10, in_channels: int = 3, **sizes: int
    ) -> nn.Module:
        first, second, width = genotype
        return nn.Sequential(
            nn.Conv2d(in_channels, width, first, padding=first // 2), nn.ReLU(),
            nn.Conv2d(width, width, second, padding=second // 2), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes),
        )  # fmt: skip
