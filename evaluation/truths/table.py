"""A truth that is a table: network, target, accuracy, and perhaps a seed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from evaluation.truths.facts import TruthError, TruthFacts
from evaluation.truths.means import settled
from evaluation.truths.networks import Networks
from evaluation.truths.targets import CLEAN, MEAN_ADVERSARIAL, MEAN_CORRUPTION, Target
from testbed.basis.foreign_text import shown

__all__ = ["COLUMNS", "TableTruth", "Truth", "sentence_of_seeds", "with_means"]

COLUMNS = ("network", "target", "seed", "accuracy")


class Truth(Protocol):
    """What is asked of a truth: whose accuracies it holds, of what, and the accuracies."""

    @property
    def dataset(self) -> str:
        """The data set of the accuracies."""
        ...

    @property
    def facts(self) -> TruthFacts:
        """Its origin, its networks, and how they were trained."""
        ...

    def targets(self) -> pd.DataFrame:
        """Return one column a target, in [0, 1], named by the key of its ``Target``.

        The index is the published id where the networks are of NAS-Bench-201, their canonical
        names elsewhere.
        """
        ...


@dataclass(frozen=True)
class TableTruth:
    """Accuracies by network, target and seed.

    Attributes:
        root: the file, or the folder.
        dataset: the data set of the accuracies.
        facts: its origin, its networks, and how they were trained.
        networks: what they are called.
        by_seed: one row an accuracy, in the columns ``network`` (canonical), ``target`` (a key of
            `Target`), ``seed`` (text; "" where there is none) and ``accuracy`` (in [0, 1], NaN
            where it is undefined).
    """

    root: Path
    dataset: str
    facts: TruthFacts
    networks: Networks
    by_seed: pd.DataFrame

    @staticmethod
    def of(
        rows: Iterable[Sequence[Any]], root: Path, dataset: str, facts: TruthFacts,
        networks: Networks,
    ) -> "TableTruth":  # fmt: skip
        """Return the truth of rows of network, target, seed and accuracy.

        Raises:
            TruthError: if there is no row, or one is there twice.
        """
        table = pd.DataFrame(list(rows), columns=list(COLUMNS))
        if table.empty:
            raise TruthError(f"{root}: no accuracies on {shown(dataset)}")
        table = table.astype({"accuracy": "float64"})
        if (twice := table.duplicated(list(COLUMNS[:3]))).any():
            network, target, seed, _ = table.loc[twice].iloc[0]
            of = f", seed {shown(seed)}" if seed else ""
            raise TruthError(
                f"{root}: {Target.parse(target)} of {shown(network)}{of} is there twice; expected "
                "each accuracy once: of several trainings, each with its seed"
            )
        if note := sentence_of_seeds(table):
            facts = replace(facts, notes=(*facts.notes, note))
        return TableTruth(root, dataset, facts, networks, table)

    def targets(self) -> pd.DataFrame:
        """Return the accuracies, means over the seeds; see `Truth.targets`.

        A network that lacks one of the seeds that others have under a target has NaN there. Where
        there are two or more, ``mean adversarial`` is the unweighted mean over all ℓ∞ attacks and
        ε, ``mean adversarial@L2`` that of another norm, and ``mean corruption`` over all
        corruptions and severities.
        """
        groups = self.by_seed.groupby(["network", "target"])["accuracy"]
        means, count = pd.Series(groups.mean()), pd.Series(groups.count())
        most = count.groupby("target").transform("max")
        # A single value is no mean, and stays as it was given.
        means = means.where(count == 1, settled(means)).where(count.eq(most))
        table = means.unstack("target").reindex(list(dict.fromkeys(self.by_seed["network"])))
        ordered = [target.key for target in sorted(map(Target.parse, table))]
        table = with_means(table[ordered].rename_axis(columns=None))
        return self.networks.index(table)


def with_means(table: pd.DataFrame) -> pd.DataFrame:
    """Return accuracies with the means over attacks of one norm, and over corruptions.

    A mean is of two columns or more; one that the table has already stays as it is.
    """
    means: dict[Target, list[str]] = {}
    for key in map(str, table):
        target = Target.parse(key)
        if target != CLEAN and target.level is not None:
            name = MEAN_ADVERSARIAL if target.is_attack else MEAN_CORRUPTION
            means.setdefault(Target(name, target.norm), []).append(key)
    added = {
        mean.key: settled(table[keys].mean(axis="columns", skipna=False))
        for mean, keys in sorted(means.items())
        if len(keys) > 1 and mean.key not in table
    }
    return table.assign(**added)


def sentence_of_seeds(rows: pd.DataFrame) -> str:
    """Return a sentence on seeds that are averaged, and on networks that lack one; else ""."""
    seeds = [seed for seed in dict.fromkeys(rows["seed"]) if seed]
    if len(seeds) < 2:
        return ""
    defined = rows.dropna(subset=["accuracy"])
    counts = pd.Series(defined.groupby(["target", "network"])["seed"].count())
    most = pd.Series(counts.groupby("target").transform("max"))
    lacking = counts.loc[counts < most].reset_index()["network"].nunique()
    some = f"{', '.join(map(shown, seeds[:5]))}{', …' if len(seeds) > 5 else ''}"
    if (most <= 1).all():
        return f"The networks are of {len(seeds):,} seeds ({some}), each of one."
    left = (
        f"; {lacking:,} of {rows['network'].nunique():,} networks lack a seed that others have, "
        "and have no accuracy there"
        if lacking
        else ""
    )
    return f"Accuracies are means over the seeds {some}{left}."
