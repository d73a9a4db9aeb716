"""The one console command, ``robustness-proxies``, with a subcommand for everything."""

import sys
from typing import Annotated, Any

import typer

from testbed.command.menu import ALIASES, COMMANDS, PROGRAM, find
from testbed.command.shell import HELP_NAMES, Group

__all__ = ["main"]


class Menu(Group):
    """The commands of the table; one is imported when it is called, none for ``--help``."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names, in the order of a study."""
        return [entry.name for entry in COMMANDS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command by its name or alias, None if there is none."""
        known = {*self.list_commands(ctx), *ALIASES}
        return find(cmd_name).load() if cmd_name in known else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the name, the command and its words."""
        entry = find(args[0])
        if sys.argv[1:2] == args[:1]:  # as a command that is called by its own name has it
            sys.argv = [f"{PROGRAM} {entry.name}", *args[1:]]
        return entry.name, entry.load(), args[1:]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the table, and where to begin."""
        with formatter.section("Commands"):
            formatter.write_dl([(entry.name, entry.help) for entry in COMMANDS])


app = typer.Typer(
    cls=Menu, rich_markup_mode=None, pretty_exceptions_enable=False,
    context_settings=HELP_NAMES,
    epilog="Each command has --help. A first round on the digits, in a few minutes: "
    f"{PROGRAM} train, {PROGRAM} compute, then {PROGRAM} attack --weights checkpoints.",
)  # fmt: skip


@app.callback(invoke_without_command=True)
def robustness_proxies(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Tell which networks will be robust, before they are trained or attacked.

    Scores networks with training-free proxies, measures how robust they are or reads a
    published truth, says how well the one ranks the other, and searches with a proxy.
    """
    if version:
        from testbed.command.provenance import code_version

        typer.echo(f"{PROGRAM} {code_version()}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """Run the command."""
    app(prog_name=PROGRAM)


if __name__ == "__main__":
    main()
