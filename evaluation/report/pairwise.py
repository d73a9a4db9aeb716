"""Kendall's τ-b between the columns of one table, each pair once."""

from collections.abc import Callable, Iterable
from itertools import combinations

import pandas as pd

from evaluation.correlation import confidence_interval, tau_b

__all__ = ["pairwise_tau", "square"]


def pairwise_tau(table: pd.DataFrame, watch: Callable[[Iterable], Iterable] = iter) -> pd.DataFrame:
    """Return τ-b of every two columns: x, y, tau, standard_error, low, high, n.

    Only the rows that have all columns count, so that n is one for all.

    Args:
        table: the columns, with one row for each network.
        watch: yields the pairs that it is given one by one, for instance a progress bar.
    """
    complete = table.dropna()
    rows = []
    for x, y in watch(list(combinations(complete.columns, 2))):
        tau = tau_b(complete[x], complete[y])
        low, high = confidence_interval(tau)
        rows.append((x, y, tau.tau, tau.known_error, low, high, len(complete)))
    names = ["x", "y", "tau", "standard_error", "low", "high", "n"]
    return pd.DataFrame(rows, columns=names)


def square(pairs: pd.DataFrame, names: list[str], value: str = "tau") -> pd.DataFrame:
    """Return one value of the pairs as a symmetric table, NaN on its diagonal."""
    table = pd.DataFrame(float("nan"), index=names, columns=names)
    for x, y, number in zip(pairs["x"], pairs["y"], pairs[value], strict=True):
        table.loc[x, y] = table.loc[y, x] = number
    return table
