"""The command ``robustness-proxies proxies``: what there is to score with."""

import os

import typer
from rich.table import Table
from rich.text import Text

from testbed.basis.terminal import plain_console
from testbed.catalogue.plugins import installed
from testbed.catalogue.registry import PROXIES
from testbed.catalogue.spec import GROUPS, ProxySpec
from testbed.command.shell import Command, application

__all__ = ["main"]

PIPED = 400  # columns where nobody looks: a line a proxy, for grep and less -S
WIDE = 140  # columns of a terminal that has room for the options and the reference

app = application()


@app.command(cls=Command)
def proxies() -> None:
    """List the proxies by group: name, what it is, what it needs, cost, options, source.

    A group or a collection can stand for its proxies in --proxies; the options are those of
    compute --set name.option=value, with their defaults.
    """
    console, faults = plain_console(), installed()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = plain_console(width=PIPED)
    for group, meaning in GROUPS.items():
        records = [spec for spec in PROXIES.values() if spec.group == group]
        if records:
            console.print(_table(group, meaning, records, whole=console.width >= WIDE))
    collections = {word for spec in PROXIES.values() for word in spec.collections}
    for word in sorted(collections):
        names = [spec.name for spec in PROXIES.values() if word in spec.collections]
        console.print(Text(f"{word}: {', '.join(names)}"))
    for name, fault in faults.items():
        typer.echo(f"The proxy {name} of an installed package is left out: {fault}", err=True)
    if console.width < WIDE:
        typer.echo(f"Options and references need a window of {WIDE} columns, or | less -S.")
    typer.echo(
        "better: which scores the reference promises to be robust, or accurate; cost: in passes "
        "over the batch; all: every proxy but those of the group warm."
    )


def _table(group: str, meaning: str, records: list[ProxySpec], whole: bool) -> Table:
    title = Text(f"{group}: {meaning}")
    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, pad_edge=False,
        header_style="dim", padding=(0, 2, 0, 0),
    )  # fmt: skip
    table.add_column("name", no_wrap=True)
    headings = ("what", "better", "needs", "cost", *(("options", "reference") if whole else ()))
    for heading in headings:
        table.add_column(heading, overflow="fold", min_width=6)
    for spec in records:
        options = ", ".join(f"{name}={value}" for name, value in spec.options.items())
        needs = ", ".join(spec.needs) or "–"
        cells = (spec.name, spec.summary, spec.better, needs, spec.cost, options or "–")
        shown = (*cells, spec.reference)[: len(headings) + 1]
        table.add_row(*map(Text, shown))
    return table


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
