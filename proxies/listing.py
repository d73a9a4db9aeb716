"""The command ``robustness-proxies proxies``: what there is to score with."""

import typer
from rich.table import Table
from rich.text import Text

from proxies.registry import PROXIES
from testbed.basis.terminal import plain_console
from testbed.command.shell import Command, application

__all__ = ["main"]

app = application()


@app.command(cls=Command)
def proxies() -> None:
    """List the proxies: name, what it is, which scores promise robustness, cost, options.

    The options are those of proxies.score(…, options={name: {option: value}}), with their
    defaults; a proxy's reference is in proxies.PROXIES[name].reference.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("name", no_wrap=True)
    for heading in ("what", "better", "cost", "options"):
        table.add_column(heading, overflow="fold")
    for spec in PROXIES.values():
        options = ", ".join(f"{name}={value}" for name, value in spec.options.items())
        table.add_row(*map(Text, (spec.name, spec.summary, spec.better, spec.cost, options or "–")))
    plain_console().print(table)
    typer.echo("better: which scores the reference promises to be robust; cost: in passes.")


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
