"""The commands, their arguments and options, from what parses their words."""

from collections.abc import Iterator
from typing import Any

import typer.core

from scripts.pages.markdown import plain
from testbed.command.menu import ALIASES, COMMANDS, PROGRAM

__all__ = ["commands"]


def commands() -> str:
    """Return one section a command."""
    return "\n".join(line for entry in COMMANDS for line in _section(entry.load(), entry.module))


def _section(command: Any, module: str | None, parents: str = PROGRAM) -> Iterator[str]:
    name = f"{parents} {command.name}"
    context = command.context_class(command, info_name=name)
    yield f"\n{'##' if parents == PROGRAM else '###'} {name.removeprefix(PROGRAM).strip()}\n"
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"```text\n{name} {usage}\n```\n"
    yield plain((command.help or "").replace("\b\n", "")) + "\n"
    called = [f"`{PROGRAM} {alias}`" for alias, meant in ALIASES.items() if meant == command.name]
    called += [f"`python -m {module}`"] if module else []
    if called:
        yield f"The same command: {', '.join(called)}.\n"
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record and "--help" not in parameter.opts:
            yield f"`{record[0]}`\n:   {plain(' '.join(record[1].split())) or '–'}\n"
    if isinstance(command, typer.core.TyperGroup):
        for inner in command.list_commands(context):
            yield from _section(command.get_command(context, inner), None, name)
