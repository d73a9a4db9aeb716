"""What comes from elsewhere: an attribute of a user's own module, or of an installed package.

A module of others may raise anything when it is imported, and try to end the process: all of it
becomes one line.
"""

import functools
import hashlib
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points, packages_distributions, version
from pathlib import Path
from typing import Any, Generic, TypeVar

from testbed.basis.errors import InputError, did_you_mean
from testbed.basis.foreign_text import quoted, shown

__all__ = ["ANYTHING", "Plugins", "arguments_of", "attribute", "imported", "place_of", "version_of"]

ANYTHING = (Exception, SystemExit)  # that code of others may raise
Record = TypeVar("Record")


@dataclass(frozen=True)
class Plugins(Generic[Record]):
    """What others may bring of one kind, each a record that is entered into a table.

    Attributes:
        group: the entry points by which an installed package names its own.
        noun: what they are, in the words of messages: ``a proxy``.
        kind: the type of a record.
        called: that type, as messages name it.
        enter: enters a record into the table of this process and returns it; one that stands
            there already stays.
    """

    group: str
    noun: str
    kind: type[Record]
    called: str
    enter: Callable[[Record], Record]

    def load(self, words: Iterable[str]) -> list[Record]:
        """Enter what a user's words ``module:attribute`` name; return the records.

        Raises:
            InputError: if a module cannot be imported, an attribute is no record, or it cannot be
                entered.
        """
        return [self._entered(attribute(word, self.noun, self.kind), word) for word in words]

    def enter_installed(self) -> dict[str, str]:
        """Enter what installed packages offer.

        Returns:
            By the entry point's name, why what it offers could not be entered. A broken package
            does not stop a command that does not ask for it.
        """
        faults = {}
        for point in entry_points(group=self.group):
            try:
                self._entered(_loaded(point), f"{point.name} = {point.value}")
            except InputError as error:
                faults[point.name] = str(error)
        return faults

    def _entered(self, record: object, word: str) -> Record:
        if not isinstance(record, self.kind):
            raise InputError(
                f"{shown(word)} is {type(record).__name__}; expected {self.called}, the record of "
                f"{self.noun}"
            )
        return self.enter(record)


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


def place_of(thing: Any) -> str:
    """Return where a class or a function is, ``module:name``; of another callable, its class."""
    defined = _defined(thing)
    return f"{defined.__module__}:{defined.__qualname__}"


def arguments_of(thing: Any) -> str:
    """Return the arguments that a `functools.partial` gives its function, "" if it is none."""
    found = []
    while isinstance(thing, functools.partial):
        found += [_told(value) for value in thing.args]
        found += [f"{name}={_told(value)}" for name, value in sorted(thing.keywords.items())]
        thing = thing.func
    return ", ".join(found)


def _told(value: Any) -> str:
    """Return a value in words that are the same in every process: those of numbers and texts."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_told, value))}]"
    return repr(value) if isinstance(value, str | int | float | None) else type(value).__name__


def version_of(thing: Any) -> str:
    """Return what tells a class or a function of others from what it may become.

    It is the version of each package that it is installed with, and a digest of its source file,
    as far as there are such.
    """
    return _version_of(_defined(thing))


@functools.cache
def _version_of(defined: Any) -> str:
    package = defined.__module__.partition(".")[0]
    names = dict.fromkeys(_distributions().get(package, ()))
    found = [f"{name} {version(name)}" for name in names]
    file = getattr(sys.modules.get(defined.__module__), "__file__", None)
    try:
        source = Path(file).read_bytes() if file else inspect.getsource(defined).encode()
    except (OSError, TypeError):  # typed into an interpreter
        return ", ".join([*found, "source unknown"])
    return ", ".join([*found, f"source {hashlib.sha256(source).hexdigest()[:12]}"])


@functools.cache
def _distributions() -> Mapping[str, list[str]]:
    """Return the installed packages that bring each module: it takes long to find them."""
    return packages_distributions()


def _defined(thing: Any) -> Any:
    """Return the class or the function that a callable is, or is made from."""
    while isinstance(thing, functools.partial) or hasattr(thing, "__wrapped__"):
        thing = thing.func if isinstance(thing, functools.partial) else thing.__wrapped__
    return thing if hasattr(thing, "__qualname__") else type(thing)


def _loaded(point: EntryPoint) -> object:
    try:
        return point.load()
    except ANYTHING as error:
        raise InputError(f"{point.value} cannot be imported: {_why(error)}") from error


def _why(error: BaseException) -> str:
    return f"{type(error).__name__}: {shown(str(error))}"
