"""Attacks from elsewhere: of a user's own module, or of an installed package.

A module's attribute is an `AttackRecord`; a package names such attributes as entry points of the
group ``robustness_proxies.attacks``. An attack is entered into the table of the process that
loads it, once its class has been looked at.
"""

from collections.abc import Iterable
from functools import cache

from evaluation.attacks.names import register
from evaluation.attacks.record import AttackRecord
from testbed.basis.plugins import Plugins

__all__ = ["GROUP", "installed", "load", "offered"]

GROUP = "robustness_proxies.attacks"


def load(words: Iterable[str]) -> list[str]:
    """Enter the attacks ``module:attribute`` into the table; return their names, each once.

    Modules are looked for in the current folder too. What is in the table already stays.

    Raises:
        InputError: if a module cannot be imported, an attribute is no record of an attack, its
            class cannot be used, or one of its names is taken.
    """
    return list(dict.fromkeys(record.name for record in _PLUGINS.load(words)))


@cache
def installed() -> dict[str, str]:
    """Enter the attacks of installed packages into the table, once a process.

    Returns:
        Why a package's attack could not be entered, by the entry point's name. A broken package
        does not stop a command that does not ask for its attack.
    """
    return _PLUGINS.enter_installed()


def offered(words: Iterable[str]) -> list[str]:
    """Enter a user's attacks, then those of installed packages; return the names of the former.

    An installed one that has to be left out is named in a line on standard error.

    Raises:
        InputError: as `load` does.
    """
    import typer

    found = load(words)
    for name, fault in installed().items():
        typer.echo(f"The attack {name} of an installed package is left out: {fault}", err=True)
    return found


def _enter(record: AttackRecord) -> AttackRecord:
    _ = record.kind  # now, so that what cannot be used is said before hours of work
    return register(record)


_PLUGINS = Plugins(GROUP, "an attack", AttackRecord, "an evaluation.attacks.AttackRecord", _enter)
