"""How well each proxy ranks each target: τ-b on one common sample of networks."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from evaluation.correlation import tau_b, tie_fraction
from evaluation.ground_truth import Truth
from evaluation.score_columns import (
    BASELINES,
    IDENTITY,
    RankingError,
    ScoreColumn,
    baseline_column,
    labels,
    score_columns,
)
from evaluation.target_choice import choose_targets
from testbed.nasbench201.isomorphism import representatives, unique_ids

__all__ = ["Ranking", "RankingError", "rank"]


@dataclass(frozen=True)
class Ranking:
    """τ-b of every score column with every target.

    Attributes:
        table: one row for each column and target: dataset, proxy, init, images, settings,
            seeds, target, n, tau, standard_error, tie_fraction (of the target),
            ties_flag (more than half of the pairs tied), population.
        n: the number of networks, the same in every row.
        population: what these networks are, in words.
        left_out: what was scored and is not in the sample, and why; one sentence each.
    """

    table: pd.DataFrame
    n: int
    population: str
    left_out: tuple[str, ...]


def rank(
    scores: pd.DataFrame,
    truth: Truth,
    proxies: Sequence[str] | None = None,
    targets: Sequence[str] | None = None,
    attacks: Sequence[str] = (),
    seeds: Collection[int] | None = None,
    watch: Callable[[Sequence[ScoreColumn]], Iterable[ScoreColumn]] = iter,
) -> Ranking:
    """Correlate scores with published accuracies.

    The sample is one for all: the networks that have every chosen target and every seed of
    every chosen column. The sign is as measured: a positive τ means that a larger score goes
    with a larger accuracy. A baseline (parameters, FLOPs) that is not among the chosen
    columns is computed in closed form, so that it stands in every table.

    Args:
        scores: one row a score, as :func:`testbed.store.read_scores` returns it.
        truth: an open truth.
        proxies: the chosen ones; None for all.
        targets: as in :func:`~evaluation.target_choice.choose_targets`.
        attacks: likewise.
        seeds: the chosen ones; None for all.
        watch: hands the columns on one by one; a progress bar, say.

    Raises:
        RankingError: if a proxy, a seed or a target is unknown, or fewer than two networks
            have all that is asked for.
        TruthError: if a file of the truth is broken.
    """
    accuracies = truth.targets()
    accuracies = accuracies.filter(items=choose_targets(accuracies.columns, targets, attacks))
    columns, strangers = score_columns(scores, proxies, seeds)
    sample, left_out = _common_sample(columns, accuracies, strangers)
    present = {column.identity[0] for column in columns}
    baselines = [baseline_column(b, sample) for b in BASELINES if b not in present]
    first = {name: place for place, name in enumerate(BASELINES)}
    columns = sorted([*baselines, *columns], key=lambda c: first.get(c.identity[0], len(first)))
    population = _population(sample)
    accuracies = accuracies.loc[sample]
    ties = {name: tie_fraction(accuracies[name]) for name in accuracies}
    rows = []
    for column in watch(columns):
        values = column.values.loc[sample].to_numpy()
        for name in accuracies:
            tau = tau_b(values, accuracies[name])
            rows.append(
                {
                    "dataset": truth.dataset,
                    **dict(zip(IDENTITY, column.identity, strict=True)),
                    "seeds": column.seeds,
                    "target": name,
                    "n": len(sample),
                    "tau": tau.tau,
                    "standard_error": tau.standard_error,
                    "tie_fraction": ties[name],
                    "ties_flag": ties[name] > 0.5,
                    "population": population,
                }
            )
    return Ranking(pd.DataFrame(rows), len(sample), population, tuple(left_out))


def _common_sample(
    columns: list[ScoreColumn], accuracies: pd.DataFrame, strangers: list[str]
) -> tuple[list[int], list[str]]:
    """Return the ids that all columns and targets have, and what was left out and why."""
    scored = set().union(*(column.values.index for column in columns))
    complete = set(accuracies.dropna().index)
    known = scored & set(accuracies.index) if columns else set(accuracies.index)
    sample, notes = known & complete, []
    if strangers:
        notes.append(f"{len(strangers):,} are no NAS-Bench-201 architecture ({strangers[0]!r})")
    if unknown := scored - known:
        members = sum(representatives()[number] != number for number in unknown)
        notes.append(
            f"{len(unknown):,} are not in the truth ({members:,} of them are isomorphic to "
            f"another, whose accuracies are published instead)"
        )
    if incomplete := known - complete:
        notes.append(f"{len(incomplete):,} lack one of the targets in the truth")
    for column, label in zip(columns, labels([c.identity for c in columns]), strict=True):
        has = set(column.values.dropna().index)
        if lacking := known - has:
            reasons = "; ".join(f"{count:,} × {why}" for why, count in column.reasons.items())
            notes.append(
                f"{len(lacking):,} lack a score of {label}"
                f"{' for one of its seeds' if column.seeds > 1 else ''}"
                f"{f' (undefined: {reasons})' if reasons else ''}"
            )
        sample &= has
    if len(sample) < 2:
        why = "; ".join(notes) or "the scores hold no network"
        raise RankingError(
            f"nothing in common with the truth to rank: {len(sample)} networks have every "
            f"chosen score and target; of {len(scored) + len(strangers):,} scored, {why}"
        )
    for column, label in zip(columns, labels([c.identity for c in columns]), strict=True):
        if loose := column.unconverged & sample:
            notes.append(f"kept: {len(loose):,} whose {label} did not converge")
    return sorted(sample), notes


def _population(sample: list[int]) -> str:
    if all(representatives()[number] == number for number in sample):
        return f"{len(sample):,} of the {len(unique_ids()):,} unique networks"
    return f"{len(sample):,} of the {len(representatives()):,} architectures, isomorphic ones too"
