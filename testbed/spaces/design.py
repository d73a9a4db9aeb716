"""What a network was built from; a network of a space carries it, its copies too."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from testbed.spaces.errors import SpaceError

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Design", "design_of", "designs"]


@dataclass(frozen=True)
class Design:
    """The space, the genotype and the arguments that a network was built from.

    Attributes:
        space: the key of the space.
        genotype: the genotype.
        arguments: what `SearchSpace.build` took beside the genotype: ``classes``,
            ``in_channels`` and the sizes of the space.
    """

    space: str
    genotype: Any
    arguments: Mapping[str, int] = field(default_factory=dict)


def designs(module: "nn.Module") -> list[Design]:
    """Return the designs of a module and of its layers: none for a network of no space."""
    found = (getattr(layer, "design", None) for layer in module.modules())
    return [design for design in found if isinstance(design, Design)]


def design_of(module: "nn.Module") -> Design:
    """Return the one design that a module, however wrapped, was built from.

    Raises:
        SpaceError: if the module is of no space, or holds several networks.
    """
    found = designs(module)
    if len(found) != 1:
        raise SpaceError(
            "the network is of no search space: it has no cell to read"
            if not found
            else f"the network holds {len(found)} networks of search spaces; expected one"
        )
    return found[0]
