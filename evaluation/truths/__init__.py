"""Which published truth a path holds: robustness data, another table, an archive."""

from pathlib import Path
from typing import Protocol

import pandas as pd

from evaluation.truths.archive import ArchiveTruth
from evaluation.truths.published import Truth
from evaluation.truths.robbench import RobBench

__all__ = ["AnyTruth", "open_truth"]


class AnyTruth(Protocol):
    """What a ranking asks of a truth: which data set it is of, and accuracies by id."""

    @property
    def dataset(self) -> str:
        """The data set of the accuracies."""
        ...

    def targets(self) -> pd.DataFrame:
        """Return one column a target, named as ``Truth.targets`` does."""
        ...


def open_truth(path: str | Path, dataset: str = "cifar10") -> Truth | RobBench | ArchiveTruth:
    """Open a folder in the published layout, NAS-RobBench-201's JSON file, or an archive.

    Raises:
        TruthError: as the ``open`` of :class:`Truth`, :class:`RobBench` and
            :class:`ArchiveTruth`.
    """
    path = Path(path)
    if path.suffix == ".pth" or next(path.glob("*.p*"), None) is not None:
        return ArchiveTruth.open(path, dataset)
    return (RobBench if path.is_file() else Truth).open(path, dataset)
