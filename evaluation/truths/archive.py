"""Clean accuracies alone, from an archive of NATS-Bench, either space, or NAS-Bench-201.

Weights are not needed, so that the small *simple* archive will do.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from evaluation.truths.facts import NORMAL, TruthFacts
from evaluation.truths.files import TruthError
from evaluation.truths.networks import population
from testbed.command.console import quiet_track
from testbed.spaces import registry
from testbed.spaces.nasbench201.archive import DATASETS, Archive, ArchiveError
from testbed.spaces.nasbench201.archive.detection import space_of_archive
from testbed.spaces.nasbench201.archive.errors import MissingArchitectureError, MissingTrialError
from testbed.spaces.space import SearchSpace

__all__ = ["ArchiveTruth"]

ORIGINS = {"nasbench201": "NATS-Bench or NAS-Bench-201"}


@dataclass(frozen=True)
class ArchiveTruth:
    """The accuracies of the unique networks that an archive holds, after the longest training.

    That is 200 epochs, 90 of the size space.

    Attributes:
        archive: an open archive.
        dataset: the data set of the training: ``cifar10``, ``cifar10-valid`` (half of its
            training set), ``cifar100`` or ``ImageNet16-120``.
    """

    archive: Archive[Any]
    dataset: str
    _read: list[pd.DataFrame] = field(default_factory=list, repr=False, compare=False)

    @staticmethod
    def open(path: str | Path, dataset: str = "cifar10") -> "ArchiveTruth":
        """Find the archive; its files are read when the accuracies are asked for.

        A file says which space it is of; one is read to know it.

        Raises:
            TruthError: if it is no archive, or has no such data set.
        """
        if dataset not in DATASETS:
            raise TruthError(f"no data set {dataset!r} in an archive; there: {', '.join(DATASETS)}")
        try:
            space = registry.get(space_of_archive(Path(path)))
            return ArchiveTruth(space.archive(Path(path)), dataset)
        except ArchiveError as error:
            raise TruthError(str(error)) from error

    @property
    def facts(self) -> TruthFacts:
        """Its origin, its networks, and how they were trained; the accuracies are read first.

        Raises:
            TruthError: as :meth:`targets`.
        """
        who, key = population(self._space.key, self.targets().index), self._space.key
        origin = f"an archive of {ORIGINS.get(key, self._space.title)}"
        return TruthFacts(origin, NORMAL, who, key, cites=("dong2022nats",))

    def targets(self) -> pd.DataFrame:
        """Return one column, ``clean``, in [0, 1].

        The index is the published id in NAS-Bench-201's space, the name in the size space.

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
            for genotype in quiet_track(self._networks(), "reading"):
                label = genotype.index if self._space.by_number else self._space.name(genotype)
                try:
                    rows[label] = self._accuracy(genotype)
                except MissingArchitectureError:
                    continue
                except MissingTrialError as error:  # trained on other data sets only, say
                    lacking = lacking or error
        except ArchiveError as error:
            raise TruthError(str(error)) from error
        if not rows:
            none = f"{self.archive.path} holds none of the unique networks"
            raise TruthError(str(lacking or none)) from lacking
        return pd.DataFrame({"clean": pd.Series(rows, dtype="float64")}).rename_axis(
            "id" if self._space.by_number else "network"
        )

    @property
    def _space(self) -> SearchSpace[Any]:
        return registry.get(self.archive.contents.space)

    def _networks(self) -> list[Any]:
        """Return the unique networks that the archive may have, in the order of their ids."""
        ids = (one for one in self.archive.layout.indices() if type(one) is int)
        space = self._space
        there = [space.numbered(one) for one in sorted(ids) if 0 <= one < space.size]
        return [one for one in there if space.representative(one) == one]

    def _accuracy(self, genotype: Any) -> float:
        found = []
        for seed in self.archive.seeds(genotype, self.dataset):
            record = self.archive.record(genotype, self.dataset, seed)
            found.append(float("nan") if record.test_accuracy is None else record.test_accuracy)
        return sum(found) / len(found) / 100
