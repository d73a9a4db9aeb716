"""Which networks a training is of: of a search space, or a user's own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from testbed.images import ImageSet
from testbed.sources.first_look import Apart, looked_at
from testbed.sources.fit import SHOWN, check_fit
from testbed.spaces.registry import DEFAULT, get
from testbed.spaces.selection import space_of_words
from testbed.spaces.space import SearchSpace
from testbed.train.checkpoint import sizes_of
from testbed.train.own import OwnNetworks
from testbed.train.recipe import Recipe

__all__ = ["own_networks", "space_networks"]


def space_networks(
    archs: str, word: str | None, recipe: Recipe, given: Mapping[str, int], images: ImageSet
) -> tuple[SearchSpace[Any], tuple[str, ...], str]:
    """Return the space, the names of its networks, and a sentence on their size; "" for none.

    Args:
        archs: the words of ``--archs``.
        word: of ``--space``; None for what the words say.
        recipe: whose sizes the networks have.
        given: the sizes that were asked for by an option.
        images: that they are trained on.

    Raises:
        SpaceError: if there is no such space.
        GenotypeError: if the words name no network of it.
        InputError: if the space has no such size, or the networks are too large to be meant.
    """
    space = space_of_words(archs) if word is None else get(word)
    space.check(**given)
    sizes = sizes_of(recipe, space)
    space.check(classes=images.classes, in_channels=images.shape[0], **sizes)
    names = tuple(space.name(genotype) for genotype in space.select(archs))
    others = {name: value for name, value in sizes.items() if value != space.sizes[name]}
    if space.key == DEFAULT or not others:
        return space, names, ""
    built = ", ".join(f"{value} {name}" for name, value in sizes.items())
    published = ", ".join(f"{space.sizes[name]} {name}" for name in sizes)
    return space, names, (
        f"Networks of {space.title} are built with {built} (published: {published})."
    )  # fmt: skip


@dataclass(frozen=True)
class _FirstLook:
    """Builds a network and tries it."""

    own: OwnNetworks
    seed: int
    images: ImageSet

    def __call__(self, name: str) -> None:
        check_fit(self.own.build(name, self.seed, self.images.classes), name, self.images)


def own_networks(
    names: Sequence[str], factory: str | None, seed: int, images: ImageSet,
    apart: Apart | None = None,
) -> OwnNetworks:  # fmt: skip
    """Return how a user's own networks are built, each of which takes the images.

    Args:
        names: of the networks.
        factory: ``module:function`` that takes one; None where the names say how to build them.
        seed: of the weights that they are tried with.
        images: that they are trained on.
        apart: the processes that they are tried in; None for this one.

    Raises:
        InputError: if a name is one of a search space.
        SourceError: if one cannot be built, or does not take the images.
    """
    own = OwnNetworks.of(factory, images)
    own.check(names)
    looked_at(_FirstLook(own, seed, images.first(SHOWN)), names, apart)
    return own
