"""How well each proxy ranks each target: τ-b and its statistics on one common sample."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from evaluation.correlation import TauB, Winner, holm, winners
from evaluation.ranking.combinations import parse_combination
from evaluation.ranking.combined import combined_column
from evaluation.ranking.common_sample import common_sample
from evaluation.ranking.coverage import left_seeds, set_aside
from evaluation.ranking.families import by_family
from evaluation.ranking.pair_statistics import DIFFERENCES, PairStatistics
from evaluation.ranking.populations import parse_population, refuse_few, selected
from evaluation.ranking.ranking import FEW, Ranking, listed
from evaluation.ranking.roster import Roster
from evaluation.ranking.score_columns import (
    BASELINES,
    IDENTITY,
    RankingError,
    ScoreColumn,
    baseline_columns,
    labels,
    score_columns,
)
from evaluation.ranking.target_choice import choose_targets, usual_targets
from evaluation.ranking.trainings import trained_otherwise
from evaluation.truths import AnyTruth

__all__ = ["FEW", "Ranking", "RankingError", "listed", "rank"]


def rank(
    scores: pd.DataFrame,
    truth: AnyTruth,
    proxies: Sequence[str] | None = None,
    targets: Sequence[str] | None = None,
    attacks: Sequence[str] = (),
    seeds: Collection[int] | None = None,
    watch: Callable[[Sequence[ScoreColumn]], Iterable[ScoreColumn]] = iter,
    top: float = 0.1,
    population: str | None = None,
    unasked: bool = False,
    room: int | None = None,
    combine: Sequence[str] = (),
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
        population: the condition of a second population, whose ranking stands beside that of
            the whole one, see :func:`~evaluation.ranking.populations.parse_population`.
        unasked: whether nobody asked for this population, so that it is left out where it has
            less than ``FEW`` networks, or all.
        room: the number of τ beyond which the second population is ranked on the usual targets
            only, see :func:`~evaluation.ranking.target_choice.usual_targets`; None for no limit.
        combine: scores that are made of others, see :mod:`evaluation.ranking.combinations`.

    Raises:
        RankingError: if a condition of the population cannot be read, or nothing satisfies it; if
            a proxy, a seed or a target is unknown, or fewer than two networks
            have all that is asked for.
        TruthError: if a file of the truth is broken.
    """
    known = truth.targets()
    second = parse_population(population, known.columns)
    accuracies = known.filter(items=choose_targets(known.columns, targets, attacks))
    roster = Roster.of(truth, known)
    columns, foreign = score_columns(scores, proxies, seeds, roster)
    known_ids = set(accuracies.index)
    columns, aside = set_aside(columns, known_ids, BASELINES, named=proxies is not None)
    aside += left_seeds(columns)
    made, told = _combined(combine, scores, seeds, known, roster)
    columns += made
    sample, left_out = common_sample(columns, accuracies, foreign, roster)
    columns = _with_baselines(columns, sample, roster)
    if not columns:
        raise RankingError(
            "no score to rank by: the networks of this truth are of no space whose baselines are "
            "known, and no score of them was given; give some with --scores FILE"
        )
    named = dict(zip(labels([c.identity for c in columns]), columns, strict=True))
    values = pd.DataFrame({name: column.values.loc[sample] for name, column in named.items()})
    numbers = _Numbers(truth.dataset, named, values, accuracies, known.get("clean"), top, roster)
    chosen, notes = ([], []) if second is None else selected(second, sample, known)
    if unasked and not FEW <= len(chosen) < len(sample):
        second = None
    if second is not None:
        refuse_few(second, chosen, sample, known)
    whole = _ranking(numbers, sample, "", watch)
    whole = replace(
        whole, left_out=tuple(left_out), set_aside=tuple(aside), combined=tuple(told),
        truth=(*truth.facts.sentences, *trained_otherwise(columns, truth.facts.training)),
    )  # fmt: skip
    if second is None:
        return whole
    # In the order of the whole population, so that rows stand beside their like.
    some = accuracies
    if room is not None and len(columns) * accuracies.shape[1] > room:
        some = accuracies.filter(items=usual_targets(list(accuracies.columns)))
    numbers = replace(numbers, columns=whole.columns, values=whole.values, accuracies=some)
    beside = _ranking(numbers, chosen, str(second), watch)
    return replace(whole, beside=replace(beside, left_out=tuple(notes)))


@dataclass(frozen=True)
class _Numbers:
    """What the rankings of all populations share; see `rank`."""

    dataset: str
    columns: dict[str, ScoreColumn]
    values: pd.DataFrame
    accuracies: pd.DataFrame
    clean: pd.Series | None
    top: float
    roster: Roster


def _ranking(
    numbers: _Numbers,
    sample: list[Any],
    condition: str,
    watch: Callable[[Sequence[ScoreColumn]], Iterable[ScoreColumn]],
) -> Ranking:
    """Return the ranking of a sample of networks."""
    named, values = numbers.columns, numbers.values.loc[sample]
    roster = numbers.roster
    params, paths = (_first(named, values, name) for name in ("params", roster.structure))
    clean = np.full(len(sample), np.nan)
    if numbers.clean is not None:
        clean = numbers.clean.loc[sample].to_numpy()
    twins = roster.twins(sample)
    shared = PairStatistics(
        numbers.accuracies.loc[sample], clean, params, paths, twins, numbers.top
    )
    who, rows = roster.population(sample, condition), []
    taus: dict[str, dict[str, TauB]] = {}
    for name, column in zip(named, watch(list(named.values())), strict=True):
        scored = values[name].to_numpy()
        for target, tau, row in shared.of(scored, column.identity[0] in BASELINES):
            taus.setdefault(target, {})[name] = tau
            rows.append(
                {
                    "dataset": numbers.dataset,
                    **dict(zip(IDENTITY, column.identity, strict=True)),
                    "label": name,
                    "seeds": column.seeds,
                    "target": target,
                    "n": len(sample),
                    **row,
                    "population": who,
                    "condition": condition,
                }
            )
    best = winners(taus)
    table = pd.DataFrame(rows)
    order = list(named) if condition else by_family(table, list(named))
    places = {name: place for place, name in enumerate(order)}
    table = table.sort_values("label", key=lambda names: names.map(places), kind="stable")
    table = _judged(table.reset_index(drop=True), best)
    named = {name: named[name] for name in order}
    return Ranking(table, len(sample), who, (), (), best, named, values[order], condition)


def _combined(
    texts: Sequence[str],
    scores: pd.DataFrame,
    seeds: Collection[int] | None,
    accuracies: pd.DataFrame,
    roster: Roster,
) -> tuple[list[ScoreColumn], list[str]]:
    """Return the columns that are made of others, and a sentence on each."""
    if not texts:
        return [], []
    parts = score_columns(scores, None, seeds, roster)[0]
    parts = _with_baselines(parts, list(accuracies.index), roster)
    named = dict(zip(labels([c.identity for c in parts]), parts, strict=True))
    columns, sentences = [], []
    for text in texts:
        combination = parse_combination(text, list(map(str, accuracies.columns)))
        column, sentence = combined_column(combination, named, accuracies)
        if column.identity[0] in {other.identity[0] for other in columns}:
            raise RankingError(f"--combine gives the name {column.identity[0]} twice")
        columns.append(column)
        sentences.append(sentence)
    return columns, sentences


def _first(named: Mapping[str, ScoreColumn], values: pd.DataFrame, proxy: str | None) -> np.ndarray:
    """Return the values of the first score column of a proxy, NaN if it has none."""
    fitting = (values[name].to_numpy() for name, c in named.items() if c.identity[0] == proxy)
    return next(fitting, np.full(len(values), np.nan))


def _with_baselines(
    columns: list[ScoreColumn], sample: list[Any], roster: Roster
) -> list[ScoreColumn]:
    """Return the columns, baselines first; missing ones that the space knows are computed."""
    present = {column.identity[0] for column in columns}
    baselines = baseline_columns(sample, roster, present)
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
