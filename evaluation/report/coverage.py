"""Leaving out proxies with scores of few networks, to which the common sample would shrink."""

import pandas as pd

from evaluation.ranking.score_columns import score_columns

__all__ = ["without_rare"]


def without_rare(scores: pd.DataFrame, known: set[int]) -> tuple[pd.DataFrame, list[str]]:
    """Leave out proxies computed for less than half of the networks that another one has.

    Args:
        scores: a table of one row for each score.
        known: the ids of the networks of the truth, which alone are counted.

    Returns:
        The rest of the rows, and a sentence for each (proxy, init) that is left out.
    """
    columns, _ = score_columns(scores)
    counts = {c.identity: len(known & set(c.values.index)) for c in columns}
    most = max(counts.values(), default=0)
    rare = {(i[0], i[1]): count for i, count in counts.items() if 2 * count < most}
    rows = pd.MultiIndex.from_frame(scores[["proxy", "init"]].astype("string").fillna(""))
    notes = [
        f"{proxy}{f' ({init})' if init else ''} was computed for {count:,} of {most:,} networks: "
        f"it is left out, since the sample is one for all; --proxies with its name brings it in."
        for (proxy, init), count in rare.items()
    ]
    return scores.loc[~rows.isin(list(rare))], notes
