"""The command ``python -m testbed.check_weights``: whether an archive's weights are read rightly.

It measures the clean accuracy of trained networks on the official test set and compares it
with what the archive itself has on record for them (``ori-test``).
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from torch import nn

from testbed import images
from testbed.command.console import check_device, fail, progress
from testbed.command.options import DataRoot, Device, Download, Hp
from testbed.images import ImageSet
from testbed.spaces.nasbench201.archive import DATASETS, ArchiveError, Record, open_archive
from testbed.spaces.nasbench201.selection import SELECTION_HELP, select
from testbed.spaces.nasbench201.training import accuracy

__all__ = ["Comparison", "main"]

app = typer.Typer(add_completion=False, rich_markup_mode=None)
FULL_SET_POINTS = 0.05  # other kernels than the authors' may flip a few images in 10,000
STANDARD_ERRORS = 3


@app.command()
def check_weights(
    archive: Annotated[Path, typer.Argument(help="Folder of the archive, with weights.")],
    archs: Annotated[str, typer.Option(help=SELECTION_HELP)] = "11",
    data_root: DataRoot = None,
    download: Download = False,
    dataset: Annotated[str, typer.Option(help=", ".join(DATASETS))] = "cifar10",
    seed: Annotated[int, typer.Option(help="Of the training.")] = 777,
    hp: Hp = "200",
    device: Device = "cpu",
    batch_size: Annotated[int, typer.Option(help="Images at a time.", min=1)] = 500,
) -> None:
    """Compare the clean accuracy of an archive's networks with the archive's own record.

    On the full test set they agree to 0.05 percentage points; on a part of it, to 3
    binomial standard errors. Otherwise the exit code is 1.
    """
    if dataset not in DATASETS:
        fail(f"unknown --dataset {dataset!r}; expected one of {', '.join(DATASETS)}")
    console = Console()
    try:
        networks = select(archs)
        check_device(device)
        opened = open_archive(archive)
        test_set = images.load(DATASETS[dataset].images, data_root, "test", download)
        rows = []
        with progress(console) as bar:
            for genotype in bar.track(networks, description="checking"):
                record = opened.record(genotype, dataset, seed, hp)
                network = opened.network(genotype, dataset, seed, hp).to(device)
                rows.append(compare(record, network, test_set, device, batch_size))
    except (ValueError, OSError) as error:
        fail(error)
    console.print(table(rows, f"{opened.path.name}: {dataset}, hp {hp}, seed {seed}"))
    wrong = [row.index for row in rows if not row.agrees]
    if wrong:
        fail(
            f"{len(wrong)} of {len(rows)} networks are not as accurate as the archive says: "
            f"{', '.join(map(str, wrong[:10]))}",
            code=1,
        )


@dataclass(frozen=True)
class Comparison:
    """A measured accuracy beside the archive's record of it, both in %.

    Attributes:
        index: the published id of the architecture.
        images: the number of images that the accuracy was measured on.
        full: the number of images that the record was measured on.
        measured: the accuracy that was measured.
        recorded: the accuracy in the archive.
    """

    index: int
    images: int
    full: int
    measured: float
    recorded: float

    @property
    def difference(self) -> float:
        """Return measured − recorded, in percentage points."""
        return self.measured - self.recorded

    @property
    def standard_error(self) -> float | None:
        """Return the binomial standard error of the measured accuracy, in percentage points.

        It is None if the whole test set was measured.
        """
        if self.images >= self.full:
            return None
        share = self.recorded / 100
        return 100 * math.sqrt(share * (1 - share) / self.images)

    @property
    def agrees(self) -> bool:
        """Say whether the difference is within the tolerance, plus half an image for rounding."""
        error = self.standard_error
        tolerance = FULL_SET_POINTS if error is None else STANDARD_ERRORS * error
        return abs(self.difference) <= tolerance + 50 / self.images


def compare(
    record: Record, network: nn.Module, test_set: ImageSet, device: str, batch_size: int
) -> Comparison:
    """Measure a network on a test set, or a part of it, beside its record.

    Raises:
        ArchiveError: if the archive has no test accuracy on record.
    """
    if record.test_accuracy is None:
        raise ArchiveError(
            f"the archive has no accuracy on the official test set on record for architecture "
            f"{record.index} ({record.dataset}, hp {record.hp}, seed {record.seed}); "
            f"it has {', '.join(record.accuracies)}"
        )
    measured = 100 * accuracy(network, test_set, device, batch_size)
    full = DATASETS[record.dataset].test_images
    return Comparison(record.index, len(test_set), full, measured, record.test_accuracy)


def table(rows: list[Comparison], title: str) -> Table:
    """Return the comparisons as a table."""
    shown = Table(title=title, title_justify="left")
    for name in ("network", "images", "measured %", "recorded %", "difference", "std. errors"):
        shown.add_column(name, justify="right")
    shown.add_column("")
    for row in rows:
        error = row.standard_error
        in_errors = (
            f"{row.difference / error:+.1f}" if error else "full set" if error is None else "–"
        )
        shown.add_row(
            str(row.index), f"{row.images:,}", f"{row.measured:.2f}", f"{row.recorded:.2f}",
            f"{row.difference:+.2f}", in_errors, "agrees" if row.agrees else "differs",
        )  # fmt: skip
    return shown


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
