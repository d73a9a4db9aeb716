"""NAS-RobBench-201: accuracies of the networks after adversarial training.

Wu, Liu, Simon-Gabriel, Chrysos and Cevher, "Robust NAS benchmark under adversarial
training", ICLR 2024: the 6,466 unique networks, trained with PGD at ε = 8, three times each.
There are two files of it. One holds ``d[data set][id][metric][seed]``: ``val_acc`` is clean, the
others are ``val_fgsm_3.0_acc``, ``val_pgd_8.0_acc`` and so on (ε in units of 1/255), each with
the seeds and their mean ``threeseed``; ``autoattack`` is one number, at ε = 8 as the project page
says. The other is that page's own, see `evaluation.truths.robbench_page`. The ids are those of
``meta.json``, which follow from the space itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from evaluation.truths.facts import Training, TruthFacts
from evaluation.truths.files import TruthError, published_id
from evaluation.truths.means import settled
from evaluation.truths.networks import NASBENCH201, population
from evaluation.truths.robbench_page import (
    PAGE_COLUMNS,
    metric_target,
    page_datasets,
    page_rows,
    read_either,
)
from evaluation.truths.targets import CLEAN, MEAN_ADVERSARIAL, Target
from testbed.basis.foreign_text import described, quoted, shown
from testbed.basis.ranges import FRACTION

__all__ = ["RobBench"]

MEAN = "threeseed"
TRAINING = Training(True, "PGD", 8.0)
Row = tuple[int, str, str, float]


@dataclass(frozen=True)
class RobBench:
    """The accuracies of one data set of the file.

    Attributes:
        root: the file.
        dataset: the data set that is read.
        datasets: all those of the file.
        by_seed: one row for each (id, target) with the columns ``seed`` (text, as in the file;
            ``threeseed`` where only the mean is given, "" for a single number) and ``accuracy``.
    """

    root: Path
    dataset: str
    datasets: tuple[str, ...]
    by_seed: pd.DataFrame

    @staticmethod
    def open(path: str | Path, dataset: str = "cifar10") -> "RobBench":
        """Read and check a file of either form.

        Raises:
            TruthError: if it cannot be read, is laid out otherwise, lacks the data set, or
                holds an id outside the space, an accuracy outside [0, 1], or one twice.
        """
        path = Path(path)
        content = read_either(path)
        of_page = PAGE_COLUMNS in content
        if not of_page and not all(isinstance(entry, dict) for entry in content.values()):
            raise TruthError(f"{path}: expected objects of data sets, found {described(content)}")
        datasets = page_datasets(content, path) if of_page else tuple(content)
        if dataset not in datasets:
            there = shown(", ".join(datasets)) or "none"
            raise TruthError(f"no data set {quoted(dataset)} in {path}; there: {there}")
        found = (
            page_rows(content, path, dataset) if of_page else _rows(content[dataset], path, dataset)
        )
        rows = pd.DataFrame(found, columns=["id", "target", "seed", "accuracy"])
        if rows.empty:
            raise TruthError(f"{path}: no accuracies of {dataset!r}")
        return RobBench(path, dataset, datasets, rows)

    @property
    def facts(self) -> TruthFacts:
        """Its origin, its networks, and how they were trained."""
        who = population(NASBENCH201, set(self.by_seed["id"]))
        return TruthFacts(
            "NAS-RobBench-201 (Wu et al., ICLR 2024)", TRAINING, who, cites=("wu2024robust",)
        )

    def targets(self) -> pd.DataFrame:
        """Return the accuracies, means over the seeds; the index is the published id.

        The columns are ``clean``, ``fgsm@3``, ``pgd@8`` and so on, ``autoattack@8``, and ``mean
        adversarial``, the unweighted mean over all attacks. A network that lacks a target, or
        one of the seeds that others have, has NaN there.
        """
        groups = pd.DataFrame(
            self.by_seed.groupby(["id", "target"])["accuracy"].agg(["mean", "count"])
        )
        most = groups.groupby("target")["count"].transform("max")
        # A single value is no mean, and stays as it was given.
        means = groups["mean"].where(groups["count"] == 1, settled(groups["mean"]))
        complete = means.loc[groups["count"] == most]
        table = complete.unstack("target").reindex(sorted(self.by_seed["id"].unique()))
        order = sorted(map(Target.parse, table), key=_place)
        table = table[[target.key for target in order]]
        attacks = [target.key for target in order if target.is_attack]
        if attacks:
            means = pd.DataFrame(table[attacks]).mean(axis="columns", skipna=False)
            table[MEAN_ADVERSARIAL] = settled(means)
        return table.rename_axis(columns=None)


def _rows(table: dict[str, Any], path: Path, dataset: str) -> Iterator[Row]:
    for word, metrics in table.items():
        number, where = published_id(word, path, f"[{dataset!r}]"), f"[{dataset!r}][{word!r}]"
        if not isinstance(metrics, dict):
            raise TruthError(f"{path}: expected metrics at {where}, found {described(metrics)}")
        spelt: dict[str, str] = {}
        for metric, entry in metrics.items():
            if (target := metric_target(metric)) is None:
                continue
            place = f"{where}[{quoted(metric)}]"
            if (other := spelt.setdefault(target, metric)) != metric:
                raise TruthError(f"{path}: {place} says again what {quoted(other)} says")
            for seed, value in _seeds(entry, path, place).items():
                if not FRACTION.holds(value):
                    at = f"{place}[{quoted(seed)}]" if seed else place
                    raise TruthError(
                        f"{path}: expected {FRACTION.words} at {at}, found {described(value)}"
                    )
                yield number, target, seed, _decimal(value)


def _seeds(entry: Any, path: Path, place: str) -> dict[str, Any]:
    """Return the accuracies by seed; the mean only where no seed is given."""
    if not isinstance(entry, dict):
        return {"": entry}
    for seed in entry:
        digits = seed.isascii() and seed.isdecimal() and len(seed) < 20 and str(int(seed)) == seed
        if seed != MEAN and not digits:
            raise TruthError(
                f"{path}: expected seeds, whole numbers, and {MEAN} at {place}, found "
                f"{quoted(seed)}"
            )
    return {seed: value for seed, value in entry.items() if seed != MEAN} or entry


def _decimal(value: float) -> float:
    """Return a number that was written from single precision as the decimal that it was.

    Means of such numbers tie where the counts of images do, and not by the order of adding.
    """
    single = np.float32(value)
    return float(str(single)) if float(single) == value else float(value)


def _place(target: Target) -> tuple[bool, str, float]:
    return target != CLEAN, target.name, target.level or 0
