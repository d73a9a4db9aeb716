"""The options that several commands share, as types of their parameters."""

from pathlib import Path
from typing import Annotated

import typer

from testbed import images

__all__ = [
    "Archive", "DataRoot", "Device", "Download", "Hp", "ImageSetName", "OwnNetworks", "Threads",
    "Weights", "Workers",
]  # fmt: skip

ImageSetName = Annotated[str, typer.Option("--images", help=", ".join(images.NAMES))]
DataRoot = Annotated[Path | None, typer.Option(help="Folder of the image set.", show_default=False)]
Download = Annotated[
    bool, typer.Option("--download", help="Download the image set if it is not there.")
]

Weights = Annotated[
    Path | None, typer.Option(help="Folder that testbed.train wrote.", show_default=False)
]
Archive = Annotated[
    Path | None, typer.Option(help="NATS-Bench or NAS-Bench-201 archive.", show_default=False)
]
Hp = Annotated[str, typer.Option(help="Of a NATS-Bench archive: 12 or 200 epochs.")]
OwnNetworks = Annotated[
    list[str] | None,
    typer.Option(help="module:function that returns a network of yours.", show_default=False),
]

Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, …")]
Workers = Annotated[int | None, typer.Option(help="Processes; all cores if not given.", min=1)]
Threads = Annotated[int, typer.Option(help="Of each process.", min=1)]
