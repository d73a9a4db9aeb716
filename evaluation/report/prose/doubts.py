"""The warnings that a reader of the statistics needs."""

from collections.abc import Iterator

import pandas as pd

from evaluation.ranking.ranking import FEW, RESTRICTED, listed
from evaluation.ranking.score_columns import BASELINES
from evaluation.report.names import plain
from evaluation.report.prose.measured import measurement_doubts
from evaluation.report.study import ReportNumbers
from evaluation.report.words import known, records
from testbed.command.numbers import PAGE

__all__ = ["FEW", "doubts"]

LEVEL = 0.05
SPELT_OUT = 6  # proxies that a sentence each is said of
LOW_CEILING = 0.6


def doubts(study: ReportNumbers, measured: pd.DataFrame | None = None) -> list[str]:
    """Return one sentence for each warning; the list is empty if there is none.

    Args:
        study: the numbers of the report.
        measured: the user's own robust accuracies, if the truth is of them.
    """
    own = list(study.facts.notes) if study.facts is not None else []
    if study.ranking is not None:
        own += study.ranking.truth[1 + len(own) :]  # of scores that were trained otherwise
    own += [] if measured is None else measurement_doubts(measured)
    if study.ranking is None:
        return own
    return [
        *study.ranking.other_images,
        *own,
        *study.left_aside,
        *study.ranking.combined,
        *study.ranking.few,
        *_constant(study.ranking.constant),
        *_second(study),
        *_ties(study.table),
        *_low_ceilings(study.table),
        *_not_beaten(study.table),
        *_one_seed(study),
        *(f"Of the scored networks, {note}." for note in study.ranking.left_out),
    ]


def _second(study: ReportNumbers) -> Iterator[str]:
    """Yield what is to be said of the second population."""
    if study.beside is None:
        return
    those = f"Networks with {study.beside.condition}"
    yield f"{those} ({study.beside.n:,}): {RESTRICTED[0].lower()}{RESTRICTED[1:]}"
    for sentence in (*study.beside.few, *(f"{note}." for note in study.beside.left_out)):
        yield f"{those}: {sentence}"
    if study.beside.constant:
        yield f"{those}: τ is undefined, for all values are equal: {study.beside.constant}."


def _constant(names: str) -> Iterator[str]:
    if names:
        yield f"τ is undefined, for all values are equal: {names}."


def _ties(table: pd.DataFrame) -> Iterator[str]:
    flagged = table.loc[table["ties_flag"].astype(bool)].drop_duplicates("target")
    if len(flagged):
        shares = flagged.sort_values("tie_fraction", ascending=False)
        yield (
            "More than half of all pairs of networks are tied, so that τ rests on the rest, in "
            + listed(f"{plain(r['target'])} ({r['tie_fraction']:.0%})" for r in records(shares))
            + "."
        )


def _low_ceilings(table: pd.DataFrame) -> Iterator[str]:
    known_ceilings = table.dropna(subset="ceiling").drop_duplicates("target")
    low = known_ceilings.loc[known_ceilings["ceiling"] < LOW_CEILING].sort_values("ceiling")
    if len(low):
        ceilings = ((plain(r["target"]), PAGE.signed(r["ceiling"], digits=2)) for r in records(low))
        yield (
            f"Training noise alone keeps a perfect score below τ = {LOW_CEILING:g} with "
            + listed(f"{target} ({ceiling})" for target, ceiling in ceilings)
            + "."
        )


def _not_beaten(table: pd.DataFrame) -> Iterator[str]:
    """Say which proxies rank no better than the best baseline, by |τ| or by a test."""
    sizes = table.assign(size=table["tau"].abs(), baseline=table["proxy"].isin(list(BASELINES)))
    best = sizes.loc[sizes["baseline"]].groupby("target")["size"].max()
    *others, last = [name for name in BASELINES if (table["proxy"] == name).any()] or ["none"]
    there = f"{', '.join(others)} or {last}" if others else last
    worse = {}
    for label, rows in sizes.loc[~sizes["baseline"]].groupby("label", sort=False):
        beaten = [r["target"] for r in records(rows) if r["size"] > best.get(r["target"], 0)]
        if len(beaten) < len(rows):
            worse[label] = (len(rows) - len(beaten), len(rows), rows, beaten)
    for label, (count, total, rows, beaten) in list(worse.items())[:SPELT_OUT]:
        yield (
            f"{label} ranks no better than a baseline (|τ|; {there}) in "
            f"{count} of {total} targets{_significant(rows, beaten)}."
        )
    if rest := list(worse.items())[SPELT_OUT:]:
        shares = (f"{label} ({count} of {total})" for label, (count, total, *_) in rest)
        yield f"The same holds of {', '.join(shares)} targets."


def _significant(rows: pd.DataFrame, beaten: list[str]) -> str:
    """Say in which targets a proxy is better than the number of parameters by the test."""
    if rows["difference_params_holm"].isna().all():
        return ""
    sure = [r for r in records(rows) if (known(r, "difference_params_holm") or 1) < LEVEL]
    better = [r for r in sure if r["target"] in beaten]
    return (
        ", and is significantly better (p < .05, Holm) than the number of parameters in "
        f"{len(better) or 'none'}"
    )


def _one_seed(study: ReportNumbers) -> Iterator[str]:
    single = [
        label
        for label, column in study.columns.items()
        if column.seeds == 1 and column.identity[1].startswith("random")
    ]
    if single:
        yield (
            f"{listed(single)}: one seed of the weights only; the intervals do not hold the "
            "noise of the initialisation."
        )
