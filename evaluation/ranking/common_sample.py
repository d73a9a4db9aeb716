"""One common sample of networks for all scores and targets, and why others are not in it."""

from typing import Any

import pandas as pd

from evaluation.ranking.labels import labels, printable
from evaluation.ranking.roster import Roster
from evaluation.ranking.score_columns import RankingError, ScoreColumn

__all__ = ["common_sample"]


def common_sample(
    columns: list[ScoreColumn],
    accuracies: pd.DataFrame,
    foreign: list[str],
    roster: Roster,
) -> tuple[list[Any], list[str]]:
    """Return the ids that all columns and targets have, and which others were left out and why.

    Args:
        columns: the score columns.
        accuracies: the chosen targets, by published id or name.
        foreign: the names of scored networks that are no architecture of the space.
        roster: whose networks they are.

    Raises:
        RankingError: if fewer than two networks have every score and target.
    """
    scored = set().union(*(column.values.index for column in columns))
    complete = set(accuracies.dropna().index)
    known = scored & set(accuracies.index) if columns else set(accuracies.index)
    sample, notes = known & complete, []
    if foreign:
        notes.append(roster.strangers(len(foreign), printable(foreign[0])))
    if unknown := scored - known:
        notes.append(roster.unknown(unknown))
    if incomplete := known - complete:
        notes.append(f"{len(incomplete):,} lack one of the targets in the truth")
    for column, label in zip(columns, labels([c.identity for c in columns]), strict=True):
        has = set(column.values.dropna().index)
        if lacking := known - has:
            reasons = "; ".join(
                f"{count:,} × {printable(why)}" for why, count in column.reasons.items()
            )
            notes.append(
                f"{len(lacking):,} lack a score of {label}"
                f"{' for one of its seeds' if column.seeds > 1 else ''}"
                f"{f' (undefined: {reasons})' if reasons else ''}"
            )
        sample &= has
    if len(sample) < 2:
        why = "; ".join(notes) or "none is left out"
        if sample:
            raise RankingError(
                "n = 1: a single network has every chosen score and target, and a ranking takes "
                f"two; of {len(scored) + len(foreign):,} scored, {why}"
            )
        raise RankingError(
            f"nothing in common with the truth to rank: {len(sample)} networks have every "
            f"chosen score and target; of {len(scored) + len(foreign):,} scored, {why}"
        )
    for column, label in zip(columns, labels([c.identity for c in columns]), strict=True):
        if loose := column.unconverged & sample:
            notes.append(f"kept: {len(loose):,} whose {label} did not converge")
    return sorted(sample), notes
