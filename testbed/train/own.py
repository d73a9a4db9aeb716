"""A user's own networks, before they are trained: the same for the same name, factory and seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from testbed.basis.errors import InputError
from testbed.basis.foreign_text import described, quoted
from testbed.basis.ranges import FRACTION, Range
from testbed.images import ImageSet
from testbed.sources.own import build_own
from testbed.sources.own_name import OwnName
from testbed.sources.timm_networks import Fitting
from testbed.spaces.registry import space_of

__all__ = ["OwnNetworks"]

ENTRIES = ("factory", "shape", "mean", "std")


@dataclass(frozen=True)
class OwnNetworks:
    """How networks of a user's own are built; they take images in [0, 1] and normalise themselves.

    Attributes:
        factory: ``module:function`` that takes a name; None where each name says how its network
            is built, see `testbed.sources.own_name`.
        shape: channels, height and width of the images, which networks of timm are built for.
        mean: of each channel, for these.
        std: likewise.
    """

    factory: str | None
    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @staticmethod
    def of(factory: str | None, images: ImageSet) -> "OwnNetworks":
        """Return how the networks of a factory, or of names, are built for an image set."""
        return OwnNetworks(factory, images.shape, images.mean, images.std)

    @staticmethod
    def from_settings(settings: Any) -> "OwnNetworks":
        """Return what `dataclasses.asdict` gave, and a file kept.

        Raises:
            InputError: if an entry is missing, unknown or not of its kind.
        """
        if not isinstance(settings, dict) or set(settings) != set(ENTRIES):
            raise InputError(
                f"an own network has the entries {', '.join(ENTRIES)}; got {described(settings)}"
            )
        factory, shape = settings["factory"], settings["shape"]
        if not (isinstance(shape, list | tuple) and len(shape) == 3 and all(map(_count, shape))):
            raise InputError(
                f"shape of an own network is channels, height, width; got {described(shape)}"
            )
        for name in ("mean", "std"):
            values = settings[name]
            listed = isinstance(values, list | tuple) and len(values) == shape[0]
            if not listed or not all(_fits(name, one) for one in values):
                raise InputError(
                    f"{name} of an own network is a number for each of its {shape[0]} channels; "
                    f"got {described(values)}"
                )
        if factory is not None:
            if not isinstance(factory, str):
                raise InputError(f"factory is module:function; got {described(factory)}")
            factory = str(OwnName.parse(factory))
        mean, std = (tuple(settings[name]) for name in ("mean", "std"))
        return OwnNetworks(factory, (shape[0], shape[1], shape[2]), mean, std)

    def check(self, names: Sequence[str]) -> None:
        """Refuse names that mean a network of a search space: files of both would have one name.

        Raises:
            InputError: naming the first.
        """
        for name in names:
            if (space := space_of(name)) is not None:
                raise InputError(
                    f"{quoted(name)} names a network of {space.title}; call yours otherwise, or "
                    "train that of the space by --archs"
                )

    def build(self, name: str, seed: int, classes: int) -> nn.Module:
        """Return the untrained network, in eval mode.

        What it draws from torch's global generator depends on (factory, name, seed) alone.

        Raises:
            SourceError: if there is no such network, or its function fails.
        """
        fitting = Fitting(classes, self.shape, self.mean, self.std)
        key = ("weights", "own", self.factory or "", name, seed)
        return build_own(name, self.factory, fitting, key)


def _count(value: Any) -> bool:
    return type(value) is int and 1 <= value <= 100_000


def _fits(name: str, value: Any) -> bool:
    if name == "mean":
        return FRACTION.holds(value)
    return Range("").holds(value) and value > 0
