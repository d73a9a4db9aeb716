"""NAS-RobBench-201: accuracies of the networks after adversarial training.

Wu, Liu, Simon-Gabriel, Chrysos and Cevher, "Robust NAS benchmark under adversarial
training", ICLR 2024: the 6,466 unique networks, trained with PGD at ε = 8, three times each.
One JSON file holds ``d[data set][id][metric][seed]``: ``val_acc`` is clean, the others are
``val_fgsm_3.0_acc``, ``val_pgd_8.0_acc`` and so on (ε in units of 1/255), each with the seeds
and their mean ``threeseed``; ``autoattack`` is one number, of an ε that the file does not say.
The ids are those of ``meta.json``, which follow from the space itself.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from evaluation.truths.files import TruthError, brief, read_json
from evaluation.truths.means import settled
from evaluation.truths.targets import CLEAN, MEAN_ADVERSARIAL, Target
from testbed.spaces.nasbench201.isomorphism import representatives

__all__ = ["RobBench"]

MEAN = "threeseed"
CLEAN_METRIC, ATTACK = "val_acc", re.compile(r"val_([a-z0-9-]+)_(\d+(?:\.\d+)?)_acc")


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
        """Read and check a file.

        Raises:
            TruthError: if it cannot be read, is laid out otherwise, lacks the data set, or
                holds an id outside the space or an accuracy outside [0, 1].
        """
        path = Path(path)
        content = read_json(path)
        if not isinstance(content, dict) or not all(isinstance(v, dict) for v in content.values()):
            raise TruthError(f"{path}: expected objects of data sets, found {brief(content)}")
        if dataset not in content:
            there = ", ".join(content) or "none"
            raise TruthError(f"no data set {dataset!r} in {path}; there: {there}")
        rows = pd.DataFrame(
            _rows(content[dataset], path, dataset), columns=["id", "target", "seed", "accuracy"]
        )
        if rows.empty:
            raise TruthError(f"{path}: no accuracies of {dataset!r}")
        return RobBench(path, dataset, tuple(content), rows)

    def targets(self) -> pd.DataFrame:
        """Return the accuracies, means over the seeds; the index is the published id.

        The columns are ``clean``, ``fgsm@3``, ``pgd@8`` and so on, ``autoattack``, and ``mean
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


def _rows(table: dict[str, Any], path: Path, dataset: str) -> Iterator[tuple[int, str, str, float]]:
    for word, metrics in table.items():
        where = f"[{dataset!r}][{word!r}]"
        if not word.isdecimal() or int(word) >= len(representatives()):
            raise TruthError(f"{path}: {word!r} at [{dataset!r}] is not an architecture id")
        if not isinstance(metrics, dict):
            raise TruthError(f"{path}: expected metrics at {where}, found {brief(metrics)}")
        for metric, entry in metrics.items():
            if (target := _target(metric)) is None:
                continue
            for seed, value in _seeds(entry).items():
                number = type(value) in (int, float)
                if not number or not 0 <= value <= 1 or math.isnan(value):
                    raise TruthError(
                        f"{path}: expected an accuracy in [0, 1] at {where}[{metric!r}]"
                        f"{f'[{seed!r}]' if seed else ''}, found {brief(value)}"
                    )
                yield int(word), target, seed, float(value)


def _seeds(entry: Any) -> dict[str, Any]:
    """Return the accuracies by seed; the mean only where no seed is given."""
    if not isinstance(entry, dict):
        return {"": entry}
    return {seed: value for seed, value in entry.items() if seed != MEAN} or entry


def _target(metric: str) -> str | None:
    """Return our name of a metric; None for losses and whatever else is in the file."""
    if match := ATTACK.fullmatch(metric):
        return Target(match[1], "Linf", float(match[2])).key
    return {CLEAN_METRIC: CLEAN.key, "autoattack": Target("autoattack").key}.get(metric)


def _place(target: Target) -> tuple[bool, str, float]:
    return target != CLEAN, target.name, target.level or 0
