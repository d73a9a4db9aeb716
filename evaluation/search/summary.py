"""The tables that the command prints: networks found, proxies, predictors, and fronts."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from rich.console import Console
from rich.text import Text

from evaluation.truths.targets import Target
from testbed.command.numbers import TERMINAL, decimal, percent

__all__ = [
    "print_best", "print_found", "print_front", "print_held_out", "print_networks",
    "print_top_ones",
]  # fmt: skip


def print_found(
    table: pd.DataFrame,
    best: "pd.Series | None",
    columns: Mapping[str, str],
    objective: str,
    console: Console,
) -> None:
    """Print what the searches found, the optimum of each column above.

    Args:
        table: the table, see `evaluation.search.results.found`.
        best: the optimum of each column, if it is known.
        columns: the columns in their order, each with the heading that is printed.
        objective: the name of the objective.
        console: the console to print on.
    """
    rows = [["", *columns.values()]]
    if best is not None:
        optima = best.to_dict()
        rows.append(["optimum", *(percent(optima[column]) for column in columns)])
    rows += _rows(table, "target", list(columns), 100)
    _print(f"Networks found with objective {objective}, in %", rows, console)


def print_best(table: pd.DataFrame, objective: str, scale: float, console: Console) -> None:
    """Print the best value after some numbers of queries, see `results.best_after`."""
    steps = sorted(set(table["query"]))
    unit = ", in %" if scale == 100 else ""
    rows = [["queries", *map(str, steps)], *_rows(table, "query", steps, scale)]
    _print(f"Best {objective} so far{unit}", rows, console)


def print_networks(table: pd.DataFrame, console: Console) -> None:
    """Print algorithm, published id (if there is one) and name of each algorithm's best network."""
    rows = [list(map(str, row)) for row in table.to_numpy().tolist()]
    what = "published id, architecture" if "id" in table else "architecture"
    _print(f"Best networks over all runs: {what}", rows, console)


def print_top_ones(table: pd.DataFrame, objective: str, console: Console) -> None:
    """Print the value of each proxy's first network, see `proxy_scores.top_ones`."""
    if table.empty:
        return
    console.print(Text(f"Without a query: {objective} of the first network of each proxy"))
    for row in table.to_dict("records"):
        ends = [
            f"{percent(row[end])} %" + (f" (mean of {row[tied]} tied)" if row[tied] > 1 else "")
            for end, tied in (("highest", "tied_highest"), ("lowest", "tied_lowest"))
        ]
        name = f"top-1 by {row['proxy']}: {ends[0]}"
        line = f"  {name}; by its lowest score: {ends[1]}; n = {row['n']:,}"
        console.print(Text(line), soft_wrap=True)
    console.print()


def print_front(
    front: pd.DataFrame, shares: pd.DataFrame, names: pd.DataFrame, complete: bool, console: Console
) -> None:
    """Print the front of all runs, and how much of the front each algorithm reached.

    Args:
        front: the scores of the front, by candidate.
        shares: the share of each algorithm, see `evaluation.search.results.common_front`.
        names: network, and perhaps its published id before it, by candidate.
        complete: whether the shares are of the true front.
        console: the console to print on.
    """
    titles = [str(Target.parse(name)) for name in front.columns]
    rows = [[*(["id"] if "id" in names else []), *titles, "network"]]
    for candidate, values in zip(front.index, front.to_numpy().tolist(), strict=True):
        *number, network = names.loc[candidate].tolist()
        rows.append([*map(str, number), *map(percent, values), str(network)])
    _print("Front: nothing asked for is better in all of these, in %", rows, console)
    whole = "the true front" if complete else "this front"
    for row in shares.to_dict("records"):
        dominated = row["hypervolume"]
        area = f"; dominated area {decimal(dominated, 4)}" if np.isfinite(dominated) else ""
        line = f"{row['algorithm']}: {row['on_front']} of {row['of']} on {whole}{area}"
        console.print(Text(line), soft_wrap=True)
    console.print()


def print_held_out(
    rows: Iterable[tuple[str, int, float, float]], objective: str, console: Console
) -> None:
    """Print (features, n, mean τ, standard error) of predictors on networks they have not seen."""
    console.print(Text(f"Random forests rank {objective} of networks they have not seen: τ-b"))
    for features, count, tau, error in rows:
        line = f"  {features}, fitted to {count:,}: {TERMINAL.signed(tau, error)}"
        console.print(Text(line), soft_wrap=True)
    console.print()


def _rows(table: pd.DataFrame, across: str, order: Sequence, scale: float) -> list[list[str]]:
    rows = []
    for algorithm, part in table.groupby("algorithm", sort=False):
        cells = part.set_index(across)[["mean", "standard_error"]].reindex(list(order)) * scale
        numbers = (decimal(mean, error=error) for mean, error in cells.to_numpy().tolist())
        rows.append([str(algorithm), *numbers])
    return rows


def _print(caption: str, rows: Sequence[Sequence[str]], console: Console) -> None:
    # Not rich's table: it would cut numbers to the width of a screen, or of no screen at all.
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    console.print(Text(caption))
    for row in rows:
        first, *cells = [
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        console.print(Text("  ".join([first, *cells])), soft_wrap=True)
    console.print()
