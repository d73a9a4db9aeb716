"""The command ``robustness-proxies proxies``: what there is to score with."""

import typer
from rich.table import Table
from rich.text import Text

from testbed.basis.terminal import plain_console
from testbed.catalogue.plugins import installed
from testbed.catalogue.registry import PROXIES
from testbed.catalogue.spec import GROUPS, ProxySpec
from testbed.command.shell import Command, application

__all__ = ["main"]

app = application()


@app.command(cls=Command)
def proxies() -> None:
    """List the proxies by group: name, what it is, what it needs, cost, options, source.

    A group or a collection can stand for its proxies in --proxies; the options are those of
    compute --set name.option=value, with their defaults.
    """
    console, faults = plain_console(), installed()
    for group, meaning in GROUPS.items():
        records = [spec for spec in PROXIES.values() if spec.group == group]
        if records:
            console.print(_table(group, meaning, records))
    collections = {word for spec in PROXIES.values() for word in spec.collections}
    for word in sorted(collections):
        names = [spec.name for spec in PROXIES.values() if word in spec.collections]
        console.print(Text(f"{word}: {', '.join(names)}"))
    for name, fault in faults.items():
        typer.echo(f"The proxy {name} of an installed package is left out: {fault}", err=True)
    typer.echo(
        "better: which scores the reference promises to be robust, or accurate; cost: in passes "
        "over the batch; all: every proxy but those of the group warm."
    )


def _table(group: str, meaning: str, records: list[ProxySpec]) -> Table:
    title = Text(f"{group}: {meaning}")
    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, pad_edge=False,
        header_style="dim", padding=(0, 2, 0, 0),
    )  # fmt: skip
    table.add_column("name", no_wrap=True)
    for heading in ("what", "better", "needs", "cost", "options", "reference"):
        table.add_column(heading, overflow="fold")
    for spec in records:
        options = ", ".join(f"{name}={value}" for name, value in spec.options.items())
        needs = ", ".join(spec.needs) or "–"
        cells = (spec.name, spec.summary, spec.better, needs, spec.cost, options or "–")
        table.add_row(*map(Text, (*cells, spec.reference)))
    return table


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
