"""Proxies from elsewhere: of a user's own module, or of an installed package.

A module's attribute is a `ProxySpec`; a package names such attributes as entry points of the group
``robustness_proxies.proxies``. A proxy is entered into the table of the process that loads it.
"""

import importlib
import os
import sys
from collections.abc import Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from testbed.basis.errors import InputError
from testbed.basis.foreign_text import quoted, shown
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
    return [_enter(_attribute(word), word).name for word in words]


@cache
def installed() -> dict[str, str]:
    """Enter the proxies of installed packages into the table, once a process.

    Returns:
        Why a package's proxy could not be entered, by the entry point's name. A broken package
        does not stop a command that does not ask for its proxy.
    """
    faults = {}
    for point in entry_points(group=GROUP):
        try:
            _enter(_loaded(point), f"{point.name} = {point.value}")
        except InputError as error:
            faults[point.name] = str(error)
    return faults


def _loaded(point: EntryPoint) -> object:
    try:
        return point.load()
    except Exception as error:  # whatever a package's module may raise
        raise InputError(f"{point.value} cannot be imported: {shown(str(error))}") from error


def _attribute(word: str) -> object:
    module, _, name = word.partition(":")
    if not module or not name:
        raise InputError(f"a proxy is given as module:attribute; got {quoted(word)}")
    folder = os.getcwd()
    # Last, so that a folder of the user's that is called evaluation hides nothing of ours.
    if folder not in sys.path:
        sys.path.append(folder)
    try:
        found = importlib.import_module(module)
    except Exception as error:  # whatever a user's module may raise
        kind = type(error).__name__
        raise InputError(
            f"the module of {quoted(word)} cannot be imported: {kind}: {shown(str(error))}"
        ) from error
    if not hasattr(found, name):
        specs = [key for key, value in vars(found).items() if isinstance(value, ProxySpec)]
        there = f"; it has {', '.join(specs)}" if specs else ""
        raise InputError(f"module {module} has no {quoted(name)}{there}")
    return getattr(found, name)


def _enter(spec: object, word: str) -> ProxySpec:
    if not isinstance(spec, ProxySpec):
        raise InputError(
            f"{shown(word)} is {type(spec).__name__}; expected a proxies.ProxySpec, the record of "
            "a proxy"
        )
    if PROXIES.get(spec.name) == spec:
        return spec
    return register(spec)
