"""All commands in one table, and the menus that ``python -m testbed`` and its like print."""

import ast
import importlib
import pkgutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import typer

from testbed.basis.errors import InputError, did_you_mean

__all__ = ["ALIASES", "COMMANDS", "PROGRAM", "Entry", "find", "print_menu"]

PROGRAM = "robustness-proxies"


@dataclass(frozen=True)
class Entry:
    """A command; what it needs is imported when it is called.

    Attributes:
        name: as in ``robustness-proxies name``.
        place: ``module:app`` of its application.
        help: one line for menus.
        module: as in ``python -m module``; None if it has no such name.
    """

    name: str
    place: str
    help: str
    module: str | None = None

    def load(self) -> Any:
        """Return the command itself."""
        module, _, app = self.place.partition(":")
        command = typer.main.get_command(getattr(importlib.import_module(module), app))
        command.name = self.name
        return command


COMMANDS = (
    Entry(
        "train", "testbed.train.command:app",
        "Train networks, resumably.", "testbed.train",
    ),
    Entry(
        "compute", "proxies.compute:app",
        "Score networks with training-free proxies (alias: score).", "proxies.compute",
    ),
    Entry(
        "attack", "evaluation.robustness.command:app",
        "Attack and corrupt images: how robust are networks?", "evaluation.robustness",
    ),
    Entry(
        "corrupt", "testbed.corruptions.__main__:app",
        "Write corrupted images, as CIFAR-10-C has them.", "testbed.corruptions",
    ),
    Entry(
        "correlate", "evaluation.correlate:app",
        "Say how well scores rank robust accuracies.", "evaluation.correlate",
    ),
    Entry(
        "report", "evaluation.report.__main__:app",
        "Write a page, figures and tables to publish.", "evaluation.report",
    ),
    Entry(
        "search", "evaluation.search.command:app",
        "Search for robust networks, with proxies or without.", "evaluation.search",
    ),
    Entry(
        "store", "testbed.command.stores:app",
        "List, check, merge and compact files of results.",
    ),
    Entry("proxies", "proxies.listing:app", "List the proxies: what they are, cost, options."),
    Entry(
        "check-weights", "testbed.check_weights:app",
        "Compare an archive's weights with its record.", "testbed.check_weights",
    ),
    Entry(
        "doctor", "testbed.command.doctor:app",
        "Show versions, devices, writable folders, optional extras.",
    ),
)  # fmt: skip
ALIASES = {"score": "compute"}


def find(name: str) -> Entry:
    """Return the command of a name or an alias.

    Raises:
        InputError: if there is none.
    """
    for entry in COMMANDS:
        if entry.name == ALIASES.get(name, name):
            return entry
    names = [entry.name for entry in COMMANDS]
    raise InputError(
        f"unknown command {name}{did_you_mean(name, [*names, *ALIASES])}; there are "
        f"{', '.join(names)}"
    )


def print_menu(package: ModuleType) -> None:
    """Print what a package is, its commands, and its rooms; end with 2 if words were given."""
    name = package.__name__
    commands = [entry for entry in COMMANDS if entry.place.startswith(f"{name}.")]
    words = [word for word in sys.argv[1:] if word not in ("-h", "--help")]
    if words:
        rooms = [entry.module.removeprefix(f"{name}.") for entry in commands if entry.module]
        there = " or ".join(f"python -m {name}.{room}" for room in rooms)
        guess = did_you_mean(words[0], rooms)
        typer.echo(f"error: {name} is no command; got {words[0]}{guess}; say {there}", err=True)
        sys.exit(2)
    typer.echo(f"{_first_line(package.__doc__)}\n\nCommands (each has --help):")
    for entry in commands:
        plain = f"python -m {entry.module}" if entry.module else ""
        typer.echo(f"  {PROGRAM} {entry.name:<14} {entry.help}")
        if plain:
            typer.echo(f"  {'':<{len(PROGRAM)}} {'':<14} or {plain}")
    for place, (room, summary) in enumerate(_rooms(package)):
        if place == 0:
            typer.echo("\nRooms:")
        typer.echo(f"  {room:<26} {summary}")


def _rooms(package: ModuleType) -> Iterator[tuple[str, str]]:
    # The first folder only: the second holds the import paths of an earlier version.
    for entry in pkgutil.iter_modules(list(package.__path__)[:1], f"{package.__name__}."):
        spec = find_spec(entry.name) if entry.ispkg else None
        if spec and spec.origin and not entry.name.endswith(".former"):
            text = Path(spec.origin).read_text(encoding="utf-8")
            yield entry.name, _first_line(ast.get_docstring(ast.parse(text)))


def _first_line(doc: str | None) -> str:
    return (doc or "").strip().partition("\n")[0]
