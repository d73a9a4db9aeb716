"""Which published truth a path holds: a folder of robustness data, or another table."""

from pathlib import Path
from typing import Protocol

import pandas as pd

from evaluation.ground_truth import Truth
from evaluation.robbench import RobBench

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


def open_truth(path: str | Path, dataset: str = "cifar10") -> Truth | RobBench:
    """Open a folder in the published layout, or NAS-RobBench-201's JSON file.

    Raises:
        TruthError: as :meth:`Truth.open` or :meth:`RobBench.open`.
    """
    return (RobBench if Path(path).is_file() else Truth).open(path, dataset)
