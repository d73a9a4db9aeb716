"""What comes from elsewhere: an attribute of a user's own module, or of an installed package.

A module of others may raise anything when it is imported, and try to end the process: all of it
becomes one line.
"""

import importlib
import os
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points

from testbed.basis.errors import InputError, did_you_mean
from testbed.basis.foreign_text import quoted, shown

__all__ = ["attribute", "enter_installed", "imported"]

ANYTHING = (Exception, SystemExit)  # that a module may raise


def attribute(word: str, noun: str, kind: type) -> object:
    """Return the attribute that ``module:attribute`` names.

    Modules are looked for in the current folder too.

    Args:
        word: as a user gave it.
        noun: what it should be, in the words of messages: ``a proxy``.
        kind: its type; a message names those that the module has.

    Raises:
        InputError: if the module cannot be imported, or has no such attribute.
    """
    module, _, name = word.partition(":")
    if not module or not name:
        raise InputError(f"{noun} is given as module:attribute; got {quoted(word)}")
    folder = os.getcwd()
    # Last, so that a folder of the user's that is called evaluation hides nothing of ours.
    if folder not in sys.path:
        sys.path.append(folder)
    found = imported(module, f"the module of {quoted(word)}")
    if not hasattr(found, name):
        there = [key for key, value in vars(found).items() if isinstance(value, kind)]
        has = f"; it has {', '.join(there)}{did_you_mean(name, there)}" if there else ""
        raise InputError(f"module {module} has no {quoted(name)}{has}")
    return getattr(found, name)


def imported(module: str, what: str) -> object:
    """Return a module.

    Raises:
        InputError: if it cannot be imported; ``what`` begins the message.
    """
    try:
        return importlib.import_module(module)
    except ANYTHING as error:
        raise InputError(f"{what} cannot be imported: {_why(error)}") from error


def enter_installed(group: str, enter: Callable[[object, str], object]) -> dict[str, str]:
    """Hand what installed packages offer in a group of entry points to ``enter``.

    Returns:
        By the entry point's name, why what it offers could not be entered. A broken package
        does not stop a command that does not ask for it.
    """
    faults = {}
    for point in entry_points(group=group):
        try:
            enter(_loaded(point), f"{point.name} = {point.value}")
        except InputError as error:
            faults[point.name] = str(error)
    return faults


def _loaded(point: EntryPoint) -> object:
    try:
        return point.load()
    except ANYTHING as error:
        raise InputError(f"{point.value} cannot be imported: {_why(error)}") from error


def _why(error: BaseException) -> str:
    return f"{type(error).__name__}: {shown(str(error))}"
