"""The warnings that a reader of the statistics needs."""

from collections.abc import Iterator

import pandas as pd

from evaluation.ranking.score_columns import BASELINES
from evaluation.report.names import plain
from evaluation.report.study import ReportNumbers
from evaluation.report.words import known, records
from testbed.command.numbers import PAGE

__all__ = ["FEW", "doubts"]

FEW = 50  # networks: below, a standard error of τ is about .1
LOW_CEILING = 0.6
LISTED = 8  # names in one sentence


def doubts(study: ReportNumbers) -> list[str]:
    """Return one sentence for each warning; the list is empty if there is none."""
    if study.ranking is None:
        return ["There are no scores: this report is of the truth alone."]
    return [
        *study.ranking.other_images,
        *study.left_aside,
        *_few(study),
        *_ties(study.table),
        *_low_ceilings(study.table),
        *_undefined(study.table),
        *_not_beaten(study.table),
        *_one_seed(study),
        *(f"Of the scored networks, {note}." for note in study.ranking.left_out),
    ]


def _few(study: ReportNumbers) -> Iterator[str]:
    n = len(study.values)
    if n < FEW:
        yield f"The sample is of {n} networks only: read the intervals, not the values of τ."


def _ties(table: pd.DataFrame) -> Iterator[str]:
    flagged = table.loc[table["ties_flag"].astype(bool)].drop_duplicates("target")
    if len(flagged):
        shares = flagged.sort_values("tie_fraction", ascending=False)
        yield (
            "More than half of all pairs of networks are tied, so that τ rests on the rest, in "
            + _listed(f"{plain(r['target'])} ({r['tie_fraction']:.0%})" for r in records(shares))
            + "."
        )


def _low_ceilings(table: pd.DataFrame) -> Iterator[str]:
    known_ceilings = table.dropna(subset="ceiling").drop_duplicates("target")
    low = known_ceilings.loc[known_ceilings["ceiling"] < LOW_CEILING].sort_values("ceiling")
    if len(low):
        ceilings = ((plain(r["target"]), PAGE.signed(r["ceiling"], digits=2)) for r in records(low))
        yield (
            f"Training noise alone keeps a perfect score below τ = {LOW_CEILING:g} with "
            + _listed(f"{target} ({ceiling})" for target, ceiling in ceilings)
            + "."
        )


def _undefined(table: pd.DataFrame) -> Iterator[str]:
    missing = table.loc[table["tau"].isna()]
    if len(missing):
        pairs = (f"{r['label']} with {plain(r['target'])}" for r in records(missing))
        yield f"τ is undefined, for all values are equal: {_listed(pairs)}."


def _not_beaten(table: pd.DataFrame) -> Iterator[str]:
    """Say which proxies rank no better than the best baseline, by |τ| or by a test."""
    sizes = table.assign(size=table["tau"].abs(), baseline=table["proxy"].isin(list(BASELINES)))
    best = sizes.loc[sizes["baseline"]].groupby("target")["size"].max()
    for label, rows in sizes.loc[~sizes["baseline"]].groupby("label", sort=False):
        beaten = [r["target"] for r in records(rows) if r["size"] > best.get(r["target"], 0)]
        if len(beaten) == len(rows):
            continue
        negative = int((rows["tau"] < 0).sum())
        yield (
            f"{label} ranks no better than a baseline (|τ|, number of parameters or FLOPs) in "
            f"{len(rows) - len(beaten)} of {len(rows)} targets; its τ is negative in {negative}."
        )
        if rows["difference_params_holm"].isna().all():
            continue
        sure = [r for r in records(rows) if (known(r, "difference_params_holm") or 1) < 0.05]
        better = [r for r in sure if r["target"] in beaten]
        yield (
            f"{label} is surely better than the number of parameters (5 %, Holm) in "
            f"{len(better)} of {len(rows)} targets"
            + (f": {_listed(_difference(r) for r in better)}." if better else ".")
        )


def _difference(row: dict) -> str:
    return f"{plain(row['target'])} ({PAGE.signed(known(row, 'difference_params'))})"


def _one_seed(study: ReportNumbers) -> Iterator[str]:
    single = [
        label
        for label, column in study.columns.items()
        if column.seeds == 1 and column.identity[1].startswith("random")
    ]
    if single:
        yield (
            f"{_listed(single)}: one seed of the weights only; the intervals do not hold the "
            "noise of the initialisation."
        )


def _listed(words) -> str:
    words = list(words)
    rest = len(words) - LISTED
    return ", ".join(words[:LISTED]) + (f" and {rest} more" if rest > 0 else "")
