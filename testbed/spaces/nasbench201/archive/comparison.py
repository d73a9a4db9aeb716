"""The accuracy of an archive's weights beside the archive's own record of it."""

import math
from dataclasses import dataclass

from rich.table import Table
from torch import nn

from testbed.images import ImageSet
from testbed.networks.accuracy import accuracy
from testbed.spaces.nasbench201.archive.datasets import DATASETS
from testbed.spaces.nasbench201.archive.errors import ArchiveError
from testbed.spaces.nasbench201.archive.record import Record

__all__ = ["Comparison", "compare", "table"]

FULL_SET_POINTS = 0.05  # other kernels than the authors' may flip a few images in 10,000
STANDARD_ERRORS = 3


@dataclass(frozen=True)
class Comparison:
    """A measured accuracy beside the archive's record of it, both in %.

    Attributes:
        index: the architecture's id.
        images: how many it was measured on.
        full: how many the record was measured on.
        measured: here.
        recorded: in the archive.
    """

    index: int
    images: int
    full: int
    measured: float
    recorded: float

    @property
    def difference(self) -> float:
        """Measured − recorded, in percentage points."""
        return self.measured - self.recorded

    @property
    def standard_error(self) -> float | None:
        """Of the accuracy of a part of the test set, binomial, in points; None of all of it."""
        if self.images >= self.full:
            return None
        share = self.recorded / 100
        return 100 * math.sqrt(share * (1 - share) / self.images)

    @property
    def agrees(self) -> bool:
        """Whether the difference is within the tolerance, plus half an image for rounding."""
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
