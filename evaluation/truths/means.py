"""Means of accuracies that tie where their sums do."""

import pandas as pd

__all__ = ["settled"]

EXACT = 12  # decimals: fewer than rounding spares, more than any number of images takes


def settled(means: pd.Series) -> pd.Series:
    """Return means without the rounding that the order of adding left in them.

    Equal sums of rounded accuracies are equal then, and count as ties.
    """
    return means.round(EXACT)
