"""Which networks a training is of: of a search space, or a user's own."""

from collections.abc import Mapping, Sequence
from typing import Any

from testbed.images import ImageSet
from testbed.sources.choice import check_fit
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


def own_networks(
    names: Sequence[str], factory: str | None, seed: int, images: ImageSet
) -> OwnNetworks:
    """Return how a user's own networks are built, each of which takes the images.

    Raises:
        InputError: if a name is one of a search space.
        SourceError: if one cannot be built, or does not take the images.
    """
    own = OwnNetworks.of(factory, images)
    own.check(names)
    for name in names:
        check_fit(own.build(name, seed, images.classes), name, images)
    return own
