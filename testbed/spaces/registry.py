"""All search spaces by name: those of the toolkit, and those that a user registers.

A record of the toolkit is imported when it is first asked for.
"""

import importlib
import os
import sys
from functools import lru_cache
from typing import Any

from testbed.basis.errors import did_you_mean
from testbed.basis.foreign_text import quoted, shown
from testbed.spaces.errors import GenotypeError, SpaceError
from testbed.spaces.space import SearchSpace

__all__ = [
    "DEFAULT",
    "entered",
    "forget",
    "get",
    "names",
    "parsed",
    "register",
    "short_name",
    "space_of",
    "spaces",
]

DEFAULT = "nasbench201"
# The record of each space of the toolkit, as module:class, in the order in which they are asked
# whether a name is theirs.
PLACES = {
    "nasbench201": "testbed.spaces.nasbench201.space:NASBench201",
    "size": "testbed.spaces.size.space:SizeSpace",
    "darts": "testbed.spaces.darts.space:DARTS",
    "nares": "testbed.spaces.nares.space:NARes",
}
_SPACES: dict[str, SearchSpace[Any]] = {}


def names() -> list[str]:
    """Return the keys of all spaces."""
    return list(dict.fromkeys((*PLACES, *_SPACES)))


def get(word: str) -> SearchSpace[Any]:
    """Return the space of a key, or of a user's ``module:attribute``, which is registered then.

    Raises:
        SpaceError: if there is none; the message lists those there are.
    """
    if word in _SPACES:
        return _SPACES[word]
    if word in PLACES:
        return register(_attribute(PLACES[word])())
    if ":" in word:
        found = _attribute(word)
        if isinstance(found, type) and issubclass(found, SearchSpace):
            return entered(found)
        if isinstance(found, SearchSpace):
            return entered(type(found))
        raise SpaceError(f"{quoted(word)} is {type(found).__name__}; expected a class of "
                         "testbed.spaces.SearchSpace")  # fmt: skip
    raise SpaceError(
        f"unknown search space {quoted(word)}{did_you_mean(word, names())}; known are "
        f"{', '.join(names())}, and module:class of your own"
    )


def register(space: SearchSpace[Any]) -> SearchSpace[Any]:
    """Enter a space into the table, for this process; return it.

    Raises:
        SpaceError: if another space has the key, or the key is no identifier.
    """
    if not space.key.isidentifier():
        raise SpaceError(f"the key of a search space is an identifier; got {quoted(space.key)}")
    there = _SPACES.get(space.key)
    if there is not None and type(there) is type(space):
        return there
    place = f"{type(space).__module__}:{type(space).__qualname__}"
    if there is not None or PLACES.get(space.key, place) != place:
        raise SpaceError(f"a search space {space.key!r} stands in the table already: choose a key")
    _SPACES[space.key] = space
    space_of.cache_clear()
    return space


def forget(key: str) -> None:
    """Take a user's space out of the table; one of the toolkit is imported again when asked for."""
    _SPACES.pop(key, None)
    space_of.cache_clear()


def entered(kind: type[SearchSpace[Any]]) -> SearchSpace[Any]:
    """Return the space of a class, registered if it was not."""
    return register(kind())


def spaces() -> list[SearchSpace[Any]]:
    """Return all spaces."""
    return [get(name) for name in names()]


@lru_cache(maxsize=100_000)
def space_of(name: str) -> SearchSpace[Any] | None:
    """Return the space that a network's name is of; None for a network of no known space."""
    for space in spaces():
        if space.claims(name):
            try:
                space.parse(name)
            except GenotypeError:
                continue
            return space
    return None


def parsed(name: str) -> tuple[SearchSpace[Any], Any] | None:
    """Return the space and the genotype of a network's name; None if it is of no known space."""
    space = space_of(name)
    return None if space is None else (space, space.parse(name))


def short_name(name: str) -> str:
    """Return the published number of a network, as text; its name if it has none."""
    found = parsed(name)
    number = None if found is None else found[0].number(found[1])
    return name if number is None else str(number)


def _attribute(word: str) -> Any:
    module, _, attribute = word.partition(":")
    folder = os.getcwd()
    # Last, so that a folder of the user's that is called evaluation hides nothing of ours.
    if folder not in sys.path:
        sys.path.append(folder)
    try:
        found = importlib.import_module(module)
    except Exception as error:  # whatever a user's module may raise
        kind = type(error).__name__
        raise SpaceError(
            f"the module of {quoted(word)} cannot be imported: {kind}: {shown(str(error))}"
        ) from error
    if not hasattr(found, attribute):
        raise SpaceError(f"module {shown(module)} has no {quoted(attribute)}"
                         f"{did_you_mean(attribute, vars(found))}")  # fmt: skip
    return getattr(found, attribute)
