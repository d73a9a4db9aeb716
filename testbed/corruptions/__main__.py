"""The command ``python -m testbed.corruptions``: write corrupted images to a folder."""

from pathlib import Path
from typing import Annotated

import typer

from testbed.basis.errors import InputError, did_you_mean
from testbed.basis.terminal import plain_console
from testbed.command.console import progress
from testbed.command.inputs import load_images, named
from testbed.command.options import DataRoot, Download, ImageSetName, Split
from testbed.command.outputs import check_folder
from testbed.command.shell import INTERRUPTED, Command, application
from testbed.images.names import CORRUPTIONS, SEVERITIES

__all__ = ["main"]

app = application()


@app.command(cls=Command)
def generate(
    out: Annotated[Path, typer.Option(help="Folder for the arrays.", show_default=False)],
    image_set: ImageSetName = "digits",
    data_root: DataRoot = None,
    download: Download = False,
    split: Split = "test",
    corruptions: Annotated[
        str, typer.Option(help="Names, separated by commas; or all: " + ", ".join(CORRUPTIONS))
    ] = "all",
    seed: Annotated[int, typer.Option(help="Of the random corruptions.", min=0)] = 0,
) -> None:
    """Corrupt an image set in 15 ways at five severities, in the layout of CIFAR-10-C.

    Files that are already there are kept: an interrupted command can be repeated.
    """
    names = named(corruptions, CORRUPTIONS)
    unknown = [name for name in names if name not in CORRUPTIONS]
    if not names or unknown:
        raise InputError(
            f"corruptions are all, or names out of {', '.join(CORRUPTIONS)}; got {corruptions!r}"
            f"{did_you_mean(unknown[0], CORRUPTIONS) if unknown else ''}"
        )
    check_folder(out)

    from testbed.corruptions.files import write_corrupted

    # On standard error, like every bar.
    console = plain_console(stderr=True)
    clean = load_images(image_set, data_root, split, download)
    try:
        with progress(console) as bar:
            task = bar.add_task("corrupting", total=len(SEVERITIES) * len(clean) * len(names))
            written = write_corrupted(
                clean, out, lambda count: bar.advance(task, count), names, seed
            )
    except KeyboardInterrupt:
        typer.echo("interrupted; the same command goes on from here", err=True)
        raise typer.Exit(INTERRUPTED) from None
    kept = len(names) - len(written)
    typer.echo(f"{len(written)} corruptions written to {out}, {kept} kept.")


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
