"""How well each proxy ranks each target: τ-b and its statistics on one common sample."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from evaluation.correlation import TauB, Winner, holm, winners
from evaluation.ranking.common_sample import common_sample, population
from evaluation.ranking.coverage import left_seeds, set_aside
from evaluation.ranking.pair_statistics import DIFFERENCES, PairStatistics
from evaluation.ranking.score_columns import (
    BASELINES,
    IDENTITY,
    STRUCTURE,
    RankingError,
    ScoreColumn,
    baseline_column,
    labels,
    other_images,
    row_labels,
    score_columns,
)
from evaluation.ranking.target_choice import choose_targets
from evaluation.truths import AnyTruth
from evaluation.truths.targets import Target

__all__ = ["FEW", "Ranking", "RankingError", "listed", "rank"]

FEW = 50  # networks: below, a standard error of τ is about .1
VERY_FEW = 10
LISTED = 8  # names in one sentence


@dataclass(frozen=True)
class Ranking:
    """How every score column ranks every target.

    Attributes:
        table: one row for each column and target. The row is of dataset, proxy, init, images,
            settings, seeds, target, n, population. Its statistics are:

            - tau, standard_error, and the ends of the 95 % interval low, high;
            - tie_fraction of the target, ties_flag (more than half of its pairs tied),
              score_tie_fraction, degenerate ("constant score; tied target", or "");
            - spearman; weighted_tau, in which the best under the target weigh most;
              top_precision, of the best 10 % (the score turned around where τ < 0);
            - partial_clean, partial_params and partial_paths: τ-b given clean accuracy, given
              the number of parameters, and given ``paths_pool_min``; partial_both: given the
              last two; each with its _error;
            - ceiling: the τ-b that a perfect score reaches; NaN without enough twins;
            - difference_params and difference_paths: by how much |τ| exceeds that of the number
              of parameters, and of ``paths_pool_min``, with _error, _p, and _holm, corrected
              over the table, each by itself; NaN for baselines;
            - winner: the largest |τ| of its target, and winner_holm, the p of its comparison
              with the closest rival, corrected over the table; NaN for others.
        n: the number of networks, the same in every row.
        population: a description of these networks in words.
        left_out: one sentence for each kind of scored networks that are not in the sample,
            which says why.
        set_aside: one sentence for each score column, or seed, that too few networks have.
        winners: the winner of each target, by the names that
            :func:`~evaluation.ranking.score_columns.labels` gives; None where no τ-b is defined.
        columns: the score columns by these names, baselines first.
        values: the scores of the sample, one row for each network, by id and name.
    """

    table: pd.DataFrame
    n: int
    population: str
    left_out: tuple[str, ...]
    set_aside: tuple[str, ...] = ()
    winners: dict[str, Winner | None] = field(default_factory=dict)
    columns: dict[str, ScoreColumn] = field(default_factory=dict, repr=False)
    values: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)

    @property
    def other_images(self) -> list[str]:
        """A sentence if scores are ranked that were computed on images of another data set."""
        return other_images(self.columns.values(), self.table["dataset"].iloc[0])

    @property
    def few(self) -> list[str]:
        """A sentence if the networks are so few that τ, or its standard error, says little."""
        if self.n == 2:
            return [
                "n = 2: with two networks τ is 1 or −1 whatever the score, and has no standard "
                "error: nothing follows from it."
            ]
        if self.n < FEW:
            rough = " Below 10, and near τ = ±1, so are not even the intervals to be trusted."
            return [
                f"The sample is of {self.n} networks only: read the intervals, not the values of τ."
                + (rough if self.n < VERY_FEW else "")
            ]
        return []

    @property
    def constant(self) -> str:
        """The names of the score columns and targets of which all values are equal."""
        missing = self.labelled.loc[self.table["tau"].isna()]
        constant = missing["degenerate"].str.contains("constant score")
        scores = list(dict.fromkeys(missing.loc[constant, "label"]))
        targets = list(dict.fromkeys(missing.loc[~constant, "target"]))
        names = [*scores, *(str(Target.parse(target)) for target in targets)]
        return listed(names)

    @property
    def labelled(self) -> pd.DataFrame:
        """Return the table with a further column ``label``: the name of each row's score column."""
        return self.table.assign(label=row_labels(self.table))


def rank(
    scores: pd.DataFrame,
    truth: AnyTruth,
    proxies: Sequence[str] | None = None,
    targets: Sequence[str] | None = None,
    attacks: Sequence[str] = (),
    seeds: Collection[int] | None = None,
    watch: Callable[[Sequence[ScoreColumn]], Iterable[ScoreColumn]] = iter,
    top: float = 0.1,
) -> Ranking:
    """Correlate scores with published accuracies.

    The sample is one for all: the networks that have every chosen target and every seed of
    every chosen column. Columns and seeds that would leave less than half of it are set aside
    and named, see :func:`~evaluation.ranking.coverage.set_aside`. The sign
    is as measured: a positive τ means that a larger score goes with a larger accuracy. A
    baseline (parameters, FLOPs, paths) that is not among the chosen columns is computed in
    closed form, so that it stands in every table.

    Args:
        scores: a table of one row for each score, as :func:`testbed.store.read_scores` returns.
        truth: an open truth.
        proxies: the chosen proxies; None takes all. Of a chosen proxy, columns are set aside
            only beside others of the same proxy.
        targets: the chosen targets, see
            :func:`~evaluation.ranking.target_choice.choose_targets`.
        attacks: the attacks or corruptions of which all targets are chosen, see the same.
        seeds: the chosen seeds; None takes all but sparse ones.
        watch: yields the columns that it is given one by one, for instance a progress bar.
        top: the fraction of networks that top-k precision looks at, in (0, 1].

    Raises:
        RankingError: if a proxy, a seed or a target is unknown, or fewer than two networks
            have all that is asked for.
        TruthError: if a file of the truth is broken.
    """
    known = truth.targets()
    accuracies = known.filter(items=choose_targets(known.columns, targets, attacks))
    columns, foreign = score_columns(scores, proxies, seeds)
    known_ids = set(accuracies.index)
    columns, aside = set_aside(columns, known_ids, BASELINES, named=proxies is not None)
    aside += left_seeds(columns)
    sample, left_out = common_sample(columns, accuracies, foreign)
    columns = _with_baselines(columns, sample)
    named = dict(zip(labels([c.identity for c in columns]), columns, strict=True))
    values = pd.DataFrame({name: column.values.loc[sample] for name, column in named.items()})
    params, paths = (_first(named, values, name) for name in ("params", STRUCTURE))
    clean = known["clean"].loc[sample] if "clean" in known else pd.Series(np.nan, sample)
    shared = PairStatistics(accuracies.loc[sample], clean.to_numpy(), params, paths, top)
    who, rows = population(sample), []
    taus: dict[str, dict[str, TauB]] = {}
    for name, column in zip(named, watch(columns), strict=True):
        scored = values[name].to_numpy()
        for target, tau, row in shared.of(scored, column.identity[0] in BASELINES):
            taus.setdefault(target, {})[name] = tau
            rows.append(
                {
                    "dataset": truth.dataset,
                    **dict(zip(IDENTITY, column.identity, strict=True)),
                    "label": name,
                    "seeds": column.seeds,
                    "target": target,
                    "n": len(sample),
                    **row,
                    "population": who,
                }
            )
    best = winners(taus)
    table = _judged(pd.DataFrame(rows), best)
    return Ranking(table, len(sample), who, tuple(left_out), tuple(aside), best, named, values)


def _first(named: Mapping[str, ScoreColumn], values: pd.DataFrame, proxy: str) -> np.ndarray:
    """Return the values of the first score column of a proxy."""
    return next(values[name].to_numpy() for name, c in named.items() if c.identity[0] == proxy)


def listed(words: Iterable[str]) -> str:
    """Return words on one line, and how many more there are than a sentence bears."""
    words = list(words)
    rest = len(words) - LISTED
    return ", ".join(words[:LISTED]) + (f" and {rest} more" if rest > 0 else "")


def _with_baselines(columns: list[ScoreColumn], sample: list[int]) -> list[ScoreColumn]:
    """Return the columns, baselines first; missing baselines are computed in closed form."""
    present = {column.identity[0] for column in columns}
    baselines = [baseline_column(b, sample) for b in BASELINES if b not in present]
    first = {name: place for place, name in enumerate(BASELINES)}
    return sorted([*baselines, *columns], key=lambda c: first.get(c.identity[0], len(first)))


def _judged(table: pd.DataFrame, best: dict[str, Winner | None]) -> pd.DataFrame:
    """Return the table with the columns that are corrected over all of it."""
    entries = [best[target] for target in table["target"]]
    pairs = list(zip(entries, table["label"], strict=True))
    won = [entry is not None and entry.name == label for entry, label in pairs]
    table = table.drop(columns="label")
    for other in DIFFERENCES:
        table[f"difference_{other}_holm"] = holm(table[f"difference_{other}_p"])
    table["winner"] = won
    table["winner_holm"] = [e.p if e and w else np.nan for e, w in zip(entries, won, strict=True)]
    return table
