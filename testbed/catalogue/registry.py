"""All proxies in one table, by name, by group, and by collection."""

from collections.abc import Iterable

from testbed.basis.errors import InputError, ToolkitError, did_you_mean
from testbed.catalogue.records import RECORDS
from testbed.catalogue.spec import GROUPS, ProxySpec

__all__ = ["PROXIES", "ProxySpec", "UnknownProxyError", "chosen", "get", "register", "words"]


class UnknownProxyError(ToolkitError):
    """A name that is not in the table."""


PROXIES: dict[str, ProxySpec] = {}


def register(spec: ProxySpec) -> ProxySpec:
    """Enter a proxy into the table, for this process; return its record.

    Raises:
        InputError: if a proxy, a group or a collection has the name already.
    """
    if spec.name in PROXIES:
        raise InputError(f"a proxy named {spec.name!r} stands in the table already: choose a name")
    if spec.name in words() or "," in spec.name or not spec.name.isidentifier():
        raise InputError(
            f"the name of a proxy is an identifier and no name of a group ({', '.join(words())}); "
            f"got {spec.name!r}"
        )
    PROXIES[spec.name] = spec
    return spec


def words() -> list[str]:
    """Return the words that stand for several proxies: groups, collections, ``all``."""
    collections = dict.fromkeys(word for spec in PROXIES.values() for word in spec.collections)
    return [*GROUPS, *collections, "all"]


def get(name: str) -> ProxySpec:
    """Return the record of a proxy.

    Raises:
        UnknownProxyError: if there is no such proxy; the message lists the known names.
    """
    if name not in PROXIES:
        _look_further()
    if name not in PROXIES:
        raise UnknownProxyError(
            f"unknown proxy {name!r}{did_you_mean(name, [*PROXIES, *words()])}; known are "
            f"{', '.join(PROXIES)}"
        )
    return PROXIES[name]


def chosen(asked: Iterable[str]) -> list[str]:
    """Return the names of the proxies that names, groups and collections stand for, each once.

    ``all`` is every proxy but those of the group ``warm``, which train the network.

    Raises:
        UnknownProxyError: for a word that is none of these.
    """
    _look_further()
    names: dict[str, None] = {}
    for word in asked:
        if word in PROXIES or word not in words():
            names[get(word).name] = None
        for spec in PROXIES.values():
            everything = word == "all" and spec.group != "warm"
            if everything or word == spec.group or word in spec.collections:
                names[spec.name] = None
    return list(names)


def _look_further() -> None:
    """Enter the proxies of installed packages, which need this table."""
    from testbed.catalogue.plugins import installed

    installed()


for _spec in RECORDS:
    register(_spec)
