"""Clean accuracies alone, from an archive of NATS-Bench or NAS-Bench-201.

Weights are not needed, so that the small *simple* archive will do.
"""

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from evaluation.truths.facts import NORMAL, TruthFacts
from evaluation.truths.files import TruthError
from evaluation.truths.networks import NASBENCH201, population
from testbed.command.console import quiet_track
from testbed.spaces.nasbench201.archive import DATASETS, Archive, ArchiveError, open_archive
from testbed.spaces.nasbench201.archive.errors import MissingArchitectureError, MissingTrialError
from testbed.spaces.nasbench201.isomorphism import unique_ids

__all__ = ["ArchiveTruth"]

HP = "200"


@dataclass(frozen=True)
class ArchiveTruth:
    """The accuracies of the unique networks that an archive holds, after 200 epochs.

    Attributes:
        archive: an open archive.
        dataset: the data set of the training: ``cifar10``, ``cifar10-valid`` (half of its
            training set), ``cifar100`` or ``ImageNet16-120``.
    """

    archive: Archive
    dataset: str
    _read: list[pd.DataFrame] = field(default_factory=list, repr=False, compare=False)

    @staticmethod
    def open(path: str | Path, dataset: str = "cifar10") -> "ArchiveTruth":
        """Find the archive; its files are read when the accuracies are asked for.

        Raises:
            TruthError: if it is no archive, or has no such data set.
        """
        if dataset not in DATASETS:
            raise TruthError(f"no data set {dataset!r} in an archive; there: {', '.join(DATASETS)}")
        try:
            return ArchiveTruth(open_archive(path), dataset)
        except ArchiveError as error:
            raise TruthError(str(error)) from error

    @property
    def facts(self) -> TruthFacts:
        """Its origin, its networks, and how they were trained; the accuracies are read first.

        Raises:
            TruthError: as :meth:`targets`.
        """
        who = population(NASBENCH201, self.targets().index)
        origin = "an archive of NATS-Bench or NAS-Bench-201"
        return TruthFacts(origin, NORMAL, who, cites=("dong2022nats",))

    def targets(self) -> pd.DataFrame:
        """Return one column, ``clean``, in [0, 1]; the index is the published id.

        It is the accuracy on the whole official test set, averaged over the seeds that a
        network was trained with. A file is read for each network, some 30 in a second. Networks
        that the archive lacks, or lacks the data set of, have no row.

        Raises:
            TruthError: if a file is broken, or the archive holds no unique network.
        """
        if not self._read:
            self._read.append(self._table())
        return self._read[0].copy()

    def _table(self) -> pd.DataFrame:
        rows, lacking = {}, None
        try:
            for number in quiet_track(unique_ids(), "reading"):
                try:
                    rows[number] = self._accuracy(number)
                except MissingArchitectureError:
                    continue
                except MissingTrialError as error:  # trained on other data sets only, say
                    lacking = lacking or error
        except ArchiveError as error:
            raise TruthError(str(error)) from error
        if not rows:
            none = f"{self.archive.path} holds none of the unique networks"
            raise TruthError(str(lacking or none)) from lacking
        return pd.DataFrame({"clean": pd.Series(rows, dtype="float64")}).rename_axis("id")

    def _accuracy(self, number: int) -> float:
        found = []
        for seed in self.archive.seeds(number, self.dataset, HP):
            record = self.archive.record(number, self.dataset, seed, HP)
            found.append(float("nan") if record.test_accuracy is None else record.test_accuracy)
        return sum(found) / len(found) / 100
