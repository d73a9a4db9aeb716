"""The command ``python -m testbed.corruptions``: write corrupted images to a folder."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from testbed import images
from testbed.command.console import fail, progress, split_words
from testbed.command.options import DataRoot, Download, ImageSetName
from testbed.corruptions.files import write_corrupted
from testbed.corruptions.severities import TABLE
from testbed.errors import InputError
from testbed.images.corrupted import CORRUPTIONS, SEVERITIES

__all__ = ["main"]


def generate(
    out: Annotated[Path, typer.Option(help="Folder for the arrays.", show_default=False)],
    image_set: ImageSetName = "digits",
    data_root: DataRoot = None,
    download: Download = False,
    split: Annotated[str, typer.Option(help="train or test.")] = "test",
    corruptions: Annotated[
        str, typer.Option(help="Names, separated by commas; or all: " + ", ".join(CORRUPTIONS))
    ] = "all",
    seed: Annotated[int, typer.Option(help="Of the random corruptions.", min=0)] = 0,
) -> None:
    """Corrupt an image set in 15 ways at five severities, in the layout of CIFAR-10-C.

    Files that are already there are kept: an interrupted command can be repeated.
    """
    names = list(CORRUPTIONS) if corruptions == "all" else split_words(corruptions)
    # On standard error, like every bar.
    console = Console(stderr=True)
    try:
        if not names or set(names) - set(TABLE):
            raise InputError(
                f"corruptions are all, or names out of {', '.join(CORRUPTIONS)}; "
                f"got {corruptions!r}"
            )
        clean = images.load(image_set, data_root, split, download)
        with progress(console) as bar:
            task = bar.add_task("corrupting", total=len(SEVERITIES) * len(clean) * len(names))
            written = write_corrupted(
                clean, out, lambda count: bar.advance(task, count), names, seed
            )
    except (ValueError, OSError) as error:
        fail(" ".join(str(error).split()))
    except KeyboardInterrupt:
        fail("interrupted; the same command goes on from here", code=130)
    kept = len(names) - len(written)
    typer.echo(f"{len(written)} corruptions written to {out}, {kept} kept.")


def main() -> None:
    """Run the command."""
    typer.run(generate)


if __name__ == "__main__":
    main()
