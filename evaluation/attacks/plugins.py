"""Attacks from elsewhere: of a user's own module, or of an installed package.

A module's attribute is an `AttackRecord`; a package names such attributes as entry points of the
group ``robustness_proxies.attacks``. An attack is entered into the table of the process that
loads it, once its class has been looked at.
"""

from collections.abc import Iterable
from functools import cache

from evaluation.attacks.names import register
from evaluation.attacks.record import AttackRecord
from testbed.basis.errors import InputError
from testbed.basis.foreign_text import shown
from testbed.basis.plugins import attribute, enter_installed

__all__ = ["GROUP", "installed", "load", "offered"]

GROUP = "robustness_proxies.attacks"


def load(words: Iterable[str]) -> list[str]:
    """Enter the attacks ``module:attribute`` into the table; return their names, each once.

    Modules are looked for in the current folder too. What is in the table already stays.

    Raises:
        InputError: if a module cannot be imported, an attribute is no record of an attack, its
            class cannot be used, or one of its names is taken.
    """
    found = [_enter(attribute(word, "an attack", AttackRecord), word).name for word in words]
    return list(dict.fromkeys(found))


@cache
def installed() -> dict[str, str]:
    """Enter the attacks of installed packages into the table, once a process.

    Returns:
        Why a package's attack could not be entered, by the entry point's name. A broken package
        does not stop a command that does not ask for its attack.
    """
    return enter_installed(GROUP, _enter)


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


def _enter(record: object, word: str) -> AttackRecord:
    if not isinstance(record, AttackRecord):
        raise InputError(
            f"{shown(word)} is {type(record).__name__}; expected an "
            "evaluation.attacks.AttackRecord, the record of an attack"
        )
    _ = record.kind  # now, so that what cannot be used is said before hours of work
    return register(record)
