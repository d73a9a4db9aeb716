"""A ranking on a terminal."""

from collections.abc import Iterator, Sequence

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from evaluation.ranking.score_columns import BASELINES
from evaluation.ranking.table import Ranking
from evaluation.truths.targets import Target
from testbed.command.numbers import TERMINAL

__all__ = ["print_ranking"]

CELL = len("+.608±.005")
DAGGER = "†"


def print_ranking(ranking: Ranking, console: Console) -> None:
    """Print the table, in blocks of as many targets as fit the console's width."""
    table = ranking.labelled
    left = max(len("pairs tied"), *map(len, table["label"]))
    left = min(left, max(console.width // 3, len("pairs tied")))
    across = max(1, (console.width - left - len("seeds") - 6) // (CELL + 2))
    targets = list(dict.fromkeys(table["target"]))
    for start in range(0, len(targets), across):
        console.print(_block(table, targets[start : start + across], left))
        console.print()
    for line in _legend(ranking):
        console.print(Text(line))


def _block(table: pd.DataFrame, targets: Sequence[str], left: int) -> Table:
    first = table.drop_duplicates("target").set_index("target").loc[list(targets)]
    block = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bold")
    block.add_column("proxy", min_width=left, max_width=left, overflow="fold")
    block.add_column("seeds", justify="right", no_wrap=True)
    for target, flagged in first["ties_flag"].items():
        heading = str(Target.parse(str(target))) + (DAGGER if flagged else "")
        block.add_column(Text(heading), justify="right", min_width=CELL)
    for label, rows in table.groupby("label", sort=False):
        cells = rows.set_index("target").loc[list(targets)]
        seeds = int(cells["seeds"].iloc[0])
        baseline = cells["proxy"].iloc[0] in BASELINES
        numbers = map(_cell, cells["tau"], cells["standard_error"])
        style = "dim" if baseline else ""
        block.add_row(Text(str(label)), str(seeds) if seeds else "–", *numbers, style=style)
    block.add_section()
    shares = (f"{share:.0%}" for share in first["tie_fraction"])
    block.add_row("pairs tied", "", *shares, style="italic", end_section=True)
    return block


def _legend(ranking: Ranking) -> Iterator[str]:
    dataset = ranking.table["dataset"].iloc[0]
    yield f"n = {ranking.population}; accuracies on {dataset}."
    yield from ranking.other_images
    yield from ranking.set_aside
    yield from ranking.few
    if ranking.constant:
        yield f"There is no τ, for all values are equal: {ranking.constant}."
    yield (
        "τ-b; sign as measured: a positive τ means a larger score goes with a more robust "
        "network. ± is one standard error. ε in units of 1/255."
    )
    yield (
        f"Baselines: {', '.join(BASELINES)} (the fewest poolings on a live path of the cell). "
        "Seeds are averaged by network before ranking."
    )
    if ranking.table["ties_flag"].any():
        yield f"{DAGGER} more than half of all pairs of networks are tied in this target."
    if ranking.left_out:
        yield "Of the scored networks (one may be counted more than once):"
    for note in ranking.left_out:
        yield f"  {note}."


def _cell(tau: float, error: float) -> str:
    if tau != tau:
        return "undefined"
    return TERMINAL.signed(tau, error) + ("±?" if error != error else "")
