"""Proxies from elsewhere: of a user's own module, or of an installed package.

A module's attribute is a `ProxySpec`; a package names such attributes as entry points of the group
``robustness_proxies.proxies``. A proxy is entered into the table of the process that loads it.
"""

from collections.abc import Iterable
from functools import cache

from testbed.basis.plugins import Plugins
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
    return [spec.name for spec in _PLUGINS.load(words)]


@cache
def installed() -> dict[str, str]:
    """Enter the proxies of installed packages into the table, once a process.

    Returns:
        Why a package's proxy could not be entered, by the entry point's name. A broken package
        does not stop a command that does not ask for its proxy.
    """
    return _PLUGINS.enter_installed()


def _enter(spec: ProxySpec) -> ProxySpec:
    return spec if PROXIES.get(spec.name) == spec else register(spec)


_PLUGINS = Plugins(GROUP, "a proxy", ProxySpec, "a proxies.ProxySpec", _enter)
