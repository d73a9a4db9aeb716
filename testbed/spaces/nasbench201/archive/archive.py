"""An archive of trained networks: one file is read for one network."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from torch import nn

from testbed.basis.foreign_text import described, shown
from testbed.networks.normalise import normalised
from testbed.spaces.nasbench201.archive.contents import TOPOLOGY, Contents, other_space
from testbed.spaces.nasbench201.archive.datasets import DATASETS
from testbed.spaces.nasbench201.archive.errors import (
    ArchiveFileError,
    MissingTrialError,
    NoWeightsError,
    WrongArchitectureError,
    reading,
)
from testbed.spaces.nasbench201.archive.layouts import Layout
from testbed.spaces.nasbench201.archive.loading import load_network
from testbed.spaces.nasbench201.archive.record import Record

__all__ = ["Archive"]

G = TypeVar("G")  # genotypes


@dataclass
class Archive(Generic[G]):
    """The trained networks of an archive on disk; see `open_archive`.

    The defaults name the networks that the published robustness was measured on: the longest
    training (200 epochs; 90 in the size space), all of CIFAR-10's training set, seed 777.

    Every method raises an `ArchiveError` if the architecture's file is missing, damaged,
    refused, or of another architecture, or has no such trial.
    """

    contents: ClassVar[Contents] = TOPOLOGY

    layout: Layout
    _last: tuple[int, Mapping[str, Any]] | None = field(default=None, repr=False)

    @property
    def path(self) -> Path:
        """Return the path of the archive's folder or file."""
        return self.layout.path

    def record(
        self,
        which: G | int,
        dataset: str = "cifar10",
        seed: int = 777,
        hp: str | None = None,
    ) -> Record:
        """Return the archive's record of a trained network.

        Args:
            which: the genotype or its published id.
            dataset: ``cifar10-valid``, ``cifar10``, ``cifar100`` or ``ImageNet16-120``.
            seed: the seed of the training; `seeds` lists what there is.
            hp: the hyper-parameters, ``12`` or ``200`` epochs; ``01``, ``12`` or ``90`` in the
                size space; the most if not given.
        """
        genotype, hp = self._genotype(which), hp or self.contents.longest
        trial = self._trial(genotype, dataset, seed, hp)
        return self._record(trial, genotype, dataset, seed, hp)

    def network(
        self,
        which: G | int,
        dataset: str = "cifar10",
        seed: int = 777,
        hp: str | None = None,
    ) -> nn.Module:
        """Return a trained network, in eval mode, on the CPU; the arguments are those of `record`.

        It takes images (B, 3, H, W) in [0, 1] and returns logits (B, classes): its first
        layer is the normalisation it was trained with.

        Raises:
            NoWeightsError: if the archive holds none, saying what to fetch instead.
            ArchiveFileError: if the weights are not exactly those of the architecture.
        """
        genotype, hp = self._genotype(which), hp or self.contents.longest
        trial = self._trial(genotype, dataset, seed, hp)
        record = self._record(trial, genotype, dataset, seed, hp)
        path = self.layout.file(genotype.index)
        if not record.has_weights:
            raise NoWeightsError(
                f"{path} holds accuracies but no weights of hp {hp}, as all files of a *simple* "
                f"archive and of the single file; the trained weights are in {self.contents.full}"
            )
        with reading(path):
            network = load_network(genotype, record.config, trial["net_state_dict"], path)
        data = DATASETS[dataset]
        return normalised(network, data.mean, data.std).eval()

    def seeds(
        self, which: G | int, dataset: str = "cifar10", hp: str | None = None
    ) -> tuple[int, ...]:
        """Return the seeds that an architecture was trained with, ascending."""
        results = self._results(self._genotype(which), dataset, hp or self.contents.longest)
        return tuple(sorted(seed for name, seed in results if name == dataset))

    def settings(
        self, dataset: str = "cifar10", seed: int = 777, hp: str | None = None
    ) -> dict[str, str | int]:
        """Return what identifies the weights of a genotype, to be stored with results."""
        return {
            "archive": self.contents.kind or self.layout.kind,
            "name": self.path.resolve().name,
            "hp": hp or self.contents.longest,
            "dataset": dataset,
            "seed": seed,
        }

    def _genotype(self, which: G | int) -> Any:
        return self.contents.genotype.from_index(which) if isinstance(which, int) else which

    def _record(
        self, trial: Mapping[str, Any], genotype: Any, dataset: str, seed: int, hp: str
    ) -> Record:
        path = self.layout.file(genotype.index)
        with reading(path):
            record = Record.of(trial, genotype.index, hp, dataset, seed, self.contents.config)
            if self.contents.checks_epochs and record.epochs != int(hp):
                raise ValueError(f"expected {int(hp)} epochs for hp {hp}; got {record.epochs}")
        if record.arch != str(genotype):
            raise _wrong(path, genotype, _word(record.arch))
        if record.config.num_classes != DATASETS[dataset].classes:
            raise ArchiveFileError(
                f"{path}: {dataset} has {DATASETS[dataset].classes} classes; "
                f"got {record.config.num_classes}"
            )
        return record

    def _trial(self, genotype: Any, dataset: str, seed: int, hp: str) -> Mapping[str, Any]:
        results = self._results(genotype, dataset, hp)
        if (dataset, seed) not in results:
            seeds = sorted(found for name, found in results if name == dataset)
            raise MissingTrialError(
                f"{self.layout.file(genotype.index)} has no seed {seed} for {dataset}, hp {hp}; "
                f"it has {_listed(seeds)}"
            )
        return results[dataset, seed]

    def _results(
        self, genotype: Any, dataset: str, hp: str
    ) -> Mapping[tuple[str, int], Mapping[str, Any]]:
        path, content = self.layout.file(genotype.index), self._content(genotype.index)
        if hp not in content:
            raise MissingTrialError(f"{path} has no hp {hp!r}; it has {_listed(content)}")
        with reading(path):
            found, number = content[hp]["arch_str"], content[hp]["arch_index"]
            if found != str(genotype) or type(number) is not int or number != genotype.index:
                raise _wrong(path, genotype, f"{described(number)}, {_word(found)}")
            results = {}
            for (name, seed), trial in content[hp]["all_results"].items():
                if type(name) is not str or type(seed) is not int or not isinstance(trial, dict):
                    raise TypeError(
                        f"expected a trial of a data set and a seed; got {described(trial)} of "
                        f"{described((name, seed))}"
                    )
                results[name, seed] = trial
        names = dict.fromkeys(name for name, _ in results)
        if dataset not in names or dataset not in DATASETS:
            raise MissingTrialError(
                f"{path} has no data set {dataset!r} for hp {hp}; it has {_listed(names)}"
            )
        return results

    def _content(self, index: int) -> Mapping[str, Any]:
        # A network is asked for after its record: the last file is kept.
        if self._last is None or self._last[0] != index:
            content = self.layout.content(index)
            if (other := other_space(content, self.contents)) is not None:
                raise WrongArchitectureError(f"{self.layout.file(index)} {other}")
            self._last = index, content
        return self._last[1]

    def __getstate__(self) -> dict[str, Any]:
        # Workers read their own files.
        return {"layout": self.layout, "_last": None}


def _listed(names: Iterable[Any]) -> str:
    return ", ".join(map(_word, islice(names, 20)))


def _word(found: Any) -> str:
    return shown(found) if type(found) is str else described(found)


def _wrong(path: Path, genotype: Any, found: str) -> WrongArchitectureError:
    return WrongArchitectureError(
        f"{path} was read as architecture {genotype.index}, {genotype}, "
        f"but says that it is {found}; it is misnamed or of another search space"
    )
