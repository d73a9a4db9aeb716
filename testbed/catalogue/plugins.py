"""Proxies from elsewhere: of a user's own module, or of an installed package.

A module's attribute is a `ProxySpec`; a package names such attributes as entry points of the group
``robustness_proxies.proxies``. A proxy is entered into the table of the process that loads it.
"""

from collections.abc import Iterable
from functools import cache

from testbed.basis.errors import InputError
from testbed.basis.foreign_text import shown
from testbed.basis.plugins import attribute, enter_installed
from testbed.catalogue.registry import PROXIES, register
from testbed.catalogue.spec import ProxySpec

__all__ = ["GROUP", "installed", "load"]

GROUP = "robustness_proxies.proxies"


def load(words: Iterable[str]) -> list[str]:
    """Enter the proxies ``module:attribute`` into the table; return their names.

    Modules are looked for in the current folder too. What is in the table already stays.

    Raises:
        InputError: if a module cannot be imported, or an attribute is no record of a proxy.
    """
    return [_enter(attribute(word, "a proxy", ProxySpec), word).name for word in words]


@cache
def installed() -> dict[str, str]:
    """Enter the proxies of installed packages into the table, once a process.

    Returns:
        Why a package's proxy could not be entered, by the entry point's name. A broken package
        does not stop a command that does not ask for its proxy.
    """
    return enter_installed(GROUP, _enter)


def _enter(spec: object, word: str) -> ProxySpec:
    if not isinstance(spec, ProxySpec):
        raise InputError(
            f"{shown(word)} is {type(spec).__name__}; expected a proxies.ProxySpec, the record of "
            "a proxy"
        )
    if PROXIES.get(spec.name) == spec:
        return spec
    return register(spec)
