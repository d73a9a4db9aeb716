"""The space of NARes: three stages of five depths and five widths each, 15,625 WideResNets.

Zheng, Cheng, Huang, Lu and Boddeti, "A Neural Architecture Dataset for Adversarial Robustness",
2025.
"""

import re
from dataclasses import dataclass

from testbed.basis.foreign_text import described
from testbed.spaces.errors import GenotypeError

__all__ = ["CHOICES", "DEPTHS", "STAGES", "STEM", "WIDTHS", "Genotype"]

DEPTHS, WIDTHS = (4, 5, 7, 9, 11), (8, 10, 12, 14, 16)
STAGES, STEM = 3, 16  # of the stem, its channels
# In the authors' order: D1, W1, D2, W2, D3, W3.
CHOICES = {
    f"{letter}{stage}": options
    for stage in range(1, STAGES + 1)
    for letter, options in (("D", DEPTHS), ("W", WIDTHS))
}
NAME = re.compile(r"nares_([0-9]{1,3})x([0-9]{1,3})(?:-([0-9]{1,3})x([0-9]{1,3})){2}")
PAIR = re.compile(r"([0-9]{1,3})x([0-9]{1,3})")
ARCH = re.compile(
    r"Arch\(\s*([DW][0-9]\s*=\s*[0-9]{1,3}\s*(?:,\s*[DW][0-9]\s*=\s*[0-9]{1,3}\s*)*)\)"
)


@dataclass(frozen=True)
class Genotype:
    """One of the networks.

    Attributes:
        depths: the residual blocks of each stage.
        widths: the factors by which the stages are wider than 16, 32 and 64 channels.

    Raises:
        GenotypeError: if one is none of `DEPTHS` or `WIDTHS`, or there are not three of each.
    """

    depths: tuple[int, ...]
    widths: tuple[int, ...]

    def __post_init__(self) -> None:
        for what, values, options in (
            ("depths", self.depths, DEPTHS),
            ("widths", self.widths, WIDTHS),
        ):
            if len(values) != STAGES or any(
                type(value) is not int or value not in options for value in values
            ):
                raise GenotypeError(
                    f"a network of NARes has three {what} of {', '.join(map(str, options))}; got "
                    f"{described(values)}"
                )

    @staticmethod
    def claims(text: str) -> bool:
        """Say whether a text has the form of a name, be its numbers what they are."""
        return bool(NAME.fullmatch(text.strip()) or ARCH.fullmatch(text.strip()))

    @staticmethod
    def parse(text: str) -> "Genotype":
        """Read ``nares_4x8-5x10-7x16``, or the authors' ``Arch(D1=4, W1=8, D2=5, …)``.

        Raises:
            GenotypeError: if it is neither, or of a network outside the space.
        """
        text = text.strip() if isinstance(text, str) else ""
        if NAME.fullmatch(text):
            pairs = PAIR.findall(text)
            return Genotype(*(tuple(map(int, numbers)) for numbers in zip(*pairs, strict=True)))
        if found := ARCH.fullmatch(text):
            pairs = [part.split("=") for part in found[1].replace(" ", "").split(",")]
            named = {name: int(value) for name, value in pairs}
            if len(pairs) == len(CHOICES) and named.keys() == CHOICES.keys():
                return Genotype.of(named)
        raise GenotypeError(
            "not a network of NARes: expected depth × width of three stages, "
            f"nares_4x8-5x10-7x16 for instance; got {described(text)}"
        )

    @staticmethod
    def of(options: dict[str, int]) -> "Genotype":
        """Return the network of an option for each of `CHOICES`."""
        return Genotype(*(tuple(options[f"{k}{n}"] for n in range(1, STAGES + 1)) for k in "DW"))

    @property
    def name(self) -> str:
        """Return depth × width of each stage, ``nares_4x8-5x10-7x16``."""
        stages = zip(self.depths, self.widths, strict=True)
        return "nares_" + "-".join(f"{depth}x{width}" for depth, width in stages)

    @property
    def channels(self) -> tuple[int, ...]:
        """Return the channels of each stage."""
        return tuple(16 * 2**stage * width for stage, width in enumerate(self.widths))

    def __str__(self) -> str:
        return self.name
