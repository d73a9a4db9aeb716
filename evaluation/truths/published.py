"""The published accuracies of 6,466 trained networks under attacks and corruptions.

Jung, Lukasik and Keuper, "Neural Architecture Design and Robustness: A Dataset",
ICLR 2023: every unique network of NAS-Bench-201, trained once, then evaluated clean,
under FGSM, PGD, APGD-CE and Square (ℓ∞, ε in units of 1/255), and on 15 corruptions of
5 severities. Accuracies are fractions in [0, 1], rounded to three decimals as published.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from evaluation.truths.facts import NORMAL, TruthFacts
from evaluation.truths.files import (
    TruthError,
    confidences,
    confusion_matrices,
    fractions,
    read_meta,
    read_table,
)
from evaluation.truths.means import settled
from evaluation.truths.networks import NASBENCH201, population
from evaluation.truths.targets import MEAN_ADVERSARIAL, MEAN_CORRUPTION, Target
from evaluation.truths.training_note import noted_training
from testbed.images.names import SEVERITIES
from testbed.spaces.nasbench201.isomorphism import unique_ids

__all__ = ["Truth", "TruthError"]

ACCURACY = "_accuracy.json"
DATASETS = ("cifar10", "cifar100", "ImageNet16-120")  # that were published


@dataclass(frozen=True)
class Truth:
    """A folder of published accuracies; a file is read when it is asked for, then kept.

    Attributes:
        root: the folder that holds ``meta.json``.
        dataset: the data set whose accuracies are read, ``cifar10`` for instance.
        ids: the architecture ids that ``meta.json`` knows.
        epsilons: for each attack key its ε, in units of 1/255.
    """

    root: Path
    dataset: str
    ids: frozenset[int]
    epsilons: dict[str, tuple[float, ...]]
    _read: dict[str, pd.DataFrame] = field(default_factory=dict, repr=False, compare=False)

    @staticmethod
    def open(root: str | Path, dataset: str = "cifar10") -> "Truth":
        """Read ``meta.json`` of a folder, check it, and choose one of its data sets.

        Raises:
            TruthError: if the folder or ``meta.json`` is missing or broken, an id is not the
                architecture that NAS-Bench-201 gives it, or the data set is not there.
        """
        root = Path(root)
        truth = Truth(root, dataset, *read_meta(root))
        if dataset not in truth.datasets:
            there = ", ".join(truth.datasets) or "no folder with a *_accuracy.json"
            raise TruthError(f"no data set {dataset!r} in {root}; there: {there}")
        return truth

    @property
    def facts(self) -> TruthFacts:
        """Its origin, its networks, and how they were trained.

        Raises:
            TruthError: if a file is broken.
        """
        ids = self.accuracy(self.keys[0]).index
        training = noted_training(self.root / self.dataset)
        whole = self.dataset in DATASETS and set(ids) == set(unique_ids())
        layout = "a folder in the layout of Jung, Lukasik and Keuper (ICLR 2023)"
        return TruthFacts(
            "Jung, Lukasik and Keuper (ICLR 2023)" if whole and training is None else layout,
            # Before trainings were noted, there were none but normal ones to export.
            NORMAL if training is None else training,
            population(NASBENCH201, ids),
            cites=("jung2023neural",) if whole else (),
        )

    @property
    def datasets(self) -> list[str]:
        """The data sets of the folder: its subfolders with at least one accuracy file."""
        return sorted({path.parent.name for path in self.root.glob(f"*/*{ACCURACY}")})

    @property
    def keys(self) -> list[str]:
        """The published keys of the data set: ``clean``, then attacks, then corruptions."""
        files = (self.root / self.dataset).glob(f"*{ACCURACY}")
        there = {path.name.removesuffix(ACCURACY) for path in files}
        return sorted(there, key=lambda key: (Target.of_measure(key), key))

    def accuracy(self, key: str) -> pd.DataFrame:
        """Return the accuracies under one key, in [0, 1]; the index is the architecture id.

        The columns are the ε of an attack (floats, in units of 1/255), the severities 1 to 5
        of a corruption, or the one column ``clean``.

        Raises:
            TruthError: if the key is not there, or its file is broken.
        """
        if key not in self._read:
            path = self._path(key, "accuracy")
            table = read_table(path, self.dataset, key, "accuracy", self.ids)
            columns = self._columns(key)
            values = fractions(table, path, None if columns is None else len(columns))
            index = pd.Index(list(table), name="id", dtype="int64")
            self._read[key] = pd.DataFrame(values, index, ["clean"] if columns is None else columns)
        return self._read[key].copy()

    def confusion(self, key: str = "clean") -> tuple[np.ndarray, np.ndarray]:
        """Return the ids (n,) and their confusion matrices, (n, K, K) counts of images.

        Under an attack or a corruption the array is (n, E, K, K), E being the number of its
        ε or severities.

        Raises:
            TruthError: if there is no such file, or a matrix is not a square of counts.
        """
        path, columns = self._path(key, "cm"), self._columns(key)
        table = read_table(path, self.dataset, key, "cm", self.ids)
        matrices = confusion_matrices(table, path, None if columns is None else len(columns))
        return np.array(list(table), dtype=np.int64), matrices

    def confidence(self, key: str) -> dict[str, pd.DataFrame]:
        """Return mean softmax probabilities: under ``label`` of the true class, under
        ``prediction`` of the predicted one; index and columns are those of :meth:`accuracy`.

        The layout is the one that `evaluation.truths.robustness_json` writes.

        Raises:
            TruthError: if there is no such file, or a value is no probability.
        """
        path, columns = self._path(key, "confidence"), self._columns(key)
        table = read_table(path, self.dataset, key, "confidence", self.ids)
        index = pd.Index(list(table), name="id", dtype="int64")
        found = {}
        for part in ("label", "prediction"):
            values = fractions(
                confidences(table, part, path), path, None if columns is None else len(columns)
            )
            found[part] = pd.DataFrame(values, index, columns or ["clean"])
        return found

    def exact_accuracy(self, key: str = "clean") -> pd.DataFrame:
        """Return accuracies that are not rounded: trace over total of the confusion matrices.

        Index and columns are those of :meth:`accuracy`.

        Raises:
            TruthError: as :meth:`confusion`.
        """
        ids, matrices = self.confusion(key)
        correct = np.trace(matrices, axis1=-2, axis2=-1) / matrices.sum(axis=(-2, -1))
        index = pd.Index(ids, name="id")
        return pd.DataFrame(correct.reshape(len(ids), -1), index, self._columns(key) or ["clean"])

    def targets(self) -> pd.DataFrame:
        """Return every accuracy of the data set in one table; the index is the id.

        The columns are the keys of :class:`~evaluation.truths.targets.Target`: ``clean``;
        ``fgsm@1``, ``pgd@0.5``, ``apgd@3``, ``square@8``, ``pgd@L2@20`` (ε in units of 1/255);
        ``fog@2`` (severity); ``mean adversarial``, the unweighted mean over all ℓ∞ attacks and
        ε, as in section 3.3 of the paper, FGSM at ε = 255 included; another for each further
        norm, ``mean adversarial@L2``; and ``mean corruption``, over all corruptions and
        severities. A network that a file lacks has NaN there and in the means it enters.

        Raises:
            TruthError: if a file is broken, or two files are of one attack.
        """
        parts, means = {}, {}
        for key in self.keys:
            part = parts[key] = self.accuracy(key)
            of = Target.of_measure(key)
            if key != "clean":
                part.columns = [Target(of.name, of.norm, value).key for value in part.columns]
                mean = Target(MEAN_ADVERSARIAL if of.is_attack else MEAN_CORRUPTION, of.norm)
                means.setdefault(mean, []).extend(part.columns)
        table = pd.concat(parts.values(), axis="columns").sort_index()
        if not table.columns.is_unique:
            twice = table.columns[table.columns.duplicated()][0]
            raise TruthError(f"{self.root / self.dataset}: two files hold {twice}")
        for mean in sorted(means):
            table[mean.key] = settled(table[means[mean]].mean(axis="columns", skipna=False))
        return table.rename_axis("id")

    def _path(self, key: str, measure: str) -> Path:
        path = self.root / self.dataset / f"{key}_{measure}.json"
        if path.is_file():
            return path
        there = sorted(
            p.name.removesuffix(f"_{measure}.json") for p in path.parent.glob(f"*_{measure}.json")
        )
        raise TruthError(
            f"no {measure} of {key!r} for {self.dataset} in {self.root}; "
            f"there: {', '.join(there) or 'none'}"
        )

    def _columns(self, key: str) -> list | None:
        if key == "clean":
            return None
        if not Target.of_measure(key).is_attack:
            return list(SEVERITIES)
        if key not in self.epsilons:
            raise TruthError(
                f"{self.root / 'meta.json'} has no ε list of {key!r}; "
                f"it has {', '.join(self.epsilons) or 'none'}"
            )
        return list(self.epsilons[key])
