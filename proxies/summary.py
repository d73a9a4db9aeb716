"""The tables at the end of a scoring run."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from rich.console import Console
from rich.text import Text

from testbed.catalogue.registry import PROXIES
from testbed.command.numbers import decimal, general
from testbed.command.tables import Row, print_table
from testbed.spaces.registry import short_name

__all__ = ["print_summary"]

HEADINGS = ("n", "NaN", "unconv.", "min", "median", "max", "s/network")
EXTENT = (np.min, np.median, np.max)
DIGITS = 4  # of a score that is no whole number
REASONS = 5  # of those that are printed
WIDE = 140  # characters: room for architecture strings


def print_summary(scores: pd.DataFrame, names: Sequence[str], console: Console, show: int) -> None:
    """Print one line a proxy, then the networks that one of them promises most of.

    Args:
        scores: those that were asked for.
        names: the proxies in the order of the columns.
        console: the console to print on.
        show: the number of networks in the second table.
    """
    if scores.empty:
        return
    _print_per_proxy(scores, names, console)
    for line in _reasons(scores):
        console.print(Text(line))
    if show and scores["value"].notna().any():
        _print_top(scores, names, show, console)


def _reasons(scores: pd.DataFrame) -> list[str]:
    """Return a line for each reason of undefined or doubtful scores, with the networks it hit."""
    explained = scores[scores["reason"].notna()]
    lines = []
    for reason, rows in list(explained.groupby("reason", sort=False))[:REASONS]:
        kinds = ", ".join(dict.fromkeys(rows["proxy"]))
        networks = len(set(rows["network"]))
        whose = next(iter(rows["network"])) if networks == 1 else f"{networks} networks"
        lines.append(f"{kinds} of {whose}: {reason}")
    return lines


def _print_per_proxy(scores: pd.DataFrame, names: Sequence[str], console: Console) -> None:
    lines = []
    for name in names:
        rows = pd.DataFrame(scores[scores["proxy"] == name])
        if rows.empty:
            continue
        values = rows["value"].to_numpy()
        known = values[~np.isnan(values)]
        extent = [general(float(f(known)), DIGITS) if len(known) else "–" for f in EXTENT]
        missed = int((~rows["converged"].fillna(True)).sum())
        counts = [str(len(rows)), str(len(values) - len(known)), str(missed)]
        lines.append(Row(name, (*counts, *extent, decimal(rows["seconds"].mean(), 3))))
    print_table("proxy", HEADINGS, lines, console)


def _print_top(scores: pd.DataFrame, names: Sequence[str], show: int, console: Console) -> None:
    means = scores.pivot_table(index="network", columns="proxy", values="value", aggfunc="mean")
    present = [name for name in names if name in means.columns]
    lead = next((name for name in present if not PROXIES[name].structural), present[0])
    better = PROXIES[lead].better
    ranked = means.sort_values(lead, ascending=better == "lower").head(show)
    title = f"{len(ranked)} of {len(means)} networks, by {lead}: {better} first, as it promises"
    strings = console.width >= WIDE
    rows = []
    for network, row in ranked.iterrows():
        cells = [general(float(row[name]), DIGITS) for name in present]
        cells += [str(network)] if strings else []
        rows.append(Row(short_name(str(network)), tuple(cells)))
    headings = [*present, *(["architecture"] if strings else [])]
    print_table("id", headings, rows, console, title=title, names="right")
