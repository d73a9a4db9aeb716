"""The commands ``robustness-proxies store``: what files of results hold, one made of several."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from testbed.basis.errors import InputError
from testbed.basis.foreign_text import shown
from testbed.basis.terminal import plain_console
from testbed.command.console import quiet_track
from testbed.command.outputs import check_folder, check_store
from testbed.command.shell import HELP_NAMES, Command, Group
from testbed.spaces.registry import short_name

if TYPE_CHECKING:
    import pandas as pd

    from testbed.store import Store

__all__ = ["main"]

app = typer.Typer(
    cls=Group, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False,
    context_settings=HELP_NAMES, help="List, check, merge and compact files of results.",
    no_args_is_help=True,
)  # fmt: skip
Files = Annotated[list[Path], typer.Argument(help="Files of results: .sqlite.", metavar="FILES…")]
SCORES = ("images", "init")
RESULTS, LEVELS = ("images", "init", "measure"), ("levels", "results")
LONGEST = 300  # characters of a reason


@app.command(cls=Command)
def ls(files: Files) -> None:
    """List what files hold: scores and robust accuracies by image set, and their runs."""
    from testbed.store import Store

    console = plain_console()
    for place, path in enumerate(files):
        with Store(path, "r") as store:
            if place:
                console.print()
            console.print(Text(f"{path}  {store.path.stat().st_size:,} bytes"), style="bold")
            for line in _runs(store.runs()):
                console.print(Text(line))
            _print_groups(store, "scores", SCORES, "proxy", "value", ("proxies", "scores"))
            _print_groups(store, "robustness", RESULTS, "level", "accuracy", LEVELS)
            _print_failures(store.failures())


def _runs(runs: "pd.DataFrame") -> Iterator[str]:
    for status, some in runs.groupby("status", sort=False):
        what = "run" if len(some) == 1 else "runs"
        yield f"{len(some)} {what} {status}, {some['started'].min()} to {some['started'].max()}"


def _print_groups(
    store: "Store", rows: str, by: tuple[str, ...], column: str, value: str,
    heads: tuple[str, str],
) -> None:  # fmt: skip
    """Print how much there is of each image set, kind of weights and measure.

    Args:
        store: to read.
        rows: ``scores`` or ``robustness``.
        by: the columns that tell groups apart.
        column: whose different values are counted, beside networks and seeds.
        value: of a row; those that lack it are undefined.
        heads: what the cells of that column, and the rows, are called.
    """
    groups = store.groups(rows, by, ("network", "seed", column), value)
    if not groups:
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in (*by, "networks", "seeds", *heads, "undefined"):
        table.add_column(name, justify="left" if name in by else "right", overflow="fold")
    for group in groups:
        cells, counts = group[: len(by)], group[len(by) :]
        table.add_row(
            *(Text(shown(str(cell)) or "–") for cell in cells), *(f"{n:,}" for n in counts)
        )
    plain_console().print(table)


def _print_failures(rows: "pd.DataFrame") -> None:
    """Print how many results failed, by proxy or measure and kind, and a reason of each."""
    if rows.empty:
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in ("failed", "kind", "networks", "results", "for instance"):
        right = name in ("networks", "results")
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    rows = rows.assign(of=rows["proxy"].fillna(rows["measure"]))
    for (of, kind), some in rows.groupby(["of", "kind"]):  # type: ignore[misc]
        example = f"{short_name(some['network'].iloc[0])}: {some['reason'].iloc[0]}"
        table.add_row(
            Text(shown(str(of))), Text(str(kind)), f"{some['network'].nunique():,}",
            f"{len(some):,}", Text(shown(example, LONGEST)),
        )  # fmt: skip
    plain_console().print(table)


@app.command(cls=Command)
def check(files: Files) -> None:
    """Check files: their pages, every value's type and range, every row's digest.

    The exit code is 1 if a fault is found.
    """
    from testbed.store import Store

    faults = 0
    for path in quiet_track(files, "checking"):
        with Store(path, "r") as store:
            found = list(store.faults())
            failed = 0 if found else len(store.failures())
        for fault in found:
            typer.echo(f"{path}: {fault}")
        if not found:
            note = f" ({failed:,} results failed, and are not there)" if failed else ""
            typer.echo(f"{path}: sound{note}")
        faults += len(found)
    if faults:
        typer.echo(f"error: {faults} faults", err=True)
        raise typer.Exit(1)


@app.command(cls=Command)
def merge(
    files: Files,
    out: Annotated[
        Path, typer.Option("--out", help="File to add to; made if it is missing.", metavar="FILE")
    ],
) -> None:
    """Add the results of files to another: identical ones once, conflicting ones are an error.

    All is added or, after an error, nothing. The files may stand in any order, and be merged
    again: what is there stays. Folders of trained networks are joined to a folder in the same way.
    """
    if any(path.is_dir() for path in files):
        _merge_folders(files, out)
        return
    from testbed.store import Store

    check_store(out, "--out")
    target = out.resolve()
    sources = {path.resolve(): path for path in files}
    if target in sources:
        raise InputError(f"{out} is to be added to itself: leave it out of the files")
    opened = [Store(path, "r") for path in sources.values()]
    fresh = not out.exists()
    try:
        with Store(out) as store:
            new = store.absorb(quiet_track(opened, "merging"))
    except BaseException:
        if fresh:
            _remove_empty(out)
        raise
    finally:
        for one in opened:
            one.close()
    failed = f", and {new['failures']:,} failures," if new["failures"] else ""
    typer.echo(
        f"{new['scores']:,} scores and {new['robustness']:,} robust accuracies{failed} of "
        f"{len(opened)} files are new in {out}."
    )


def _merge_folders(folders: list[Path], out: Path) -> None:
    from testbed.train.merging import merge_folders

    for path in folders:
        if not path.is_dir():
            raise InputError(f"{path} is no folder, and others are: merge files or folders")
    sources = {path.resolve(): path for path in folders}
    if out.resolve() in sources:
        raise InputError(f"{out} is to be added to itself: leave it out of the folders")
    new = merge_folders(list(sources.values()), check_folder(out))
    typer.echo(f"{new:,} trained networks of {len(sources)} folders are new in {out}.")


def _remove_empty(path: Path) -> None:
    from testbed.store import Store

    if path.exists():
        with Store(path, "r") as store:
            tables = store.scores(), store.robustness(), store.failures(), store.runs()
            empty = all(table.empty for table in tables)
        if empty:
            path.unlink()


@app.command(cls=Command)
def compact(files: Files) -> None:
    """Write files anew without the gaps that interrupted writes leave."""
    from testbed.store import Store

    for path in files:
        if not path.is_file():
            raise InputError(f"there is no results file {path}")
        with Store(path) as store:
            before, after = store.compact()
        typer.echo(f"{path}: {before:,} → {after:,} bytes")


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
