"""A ranking on a terminal."""

from collections.abc import Iterator, Sequence

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from evaluation.ranking.families import MANY, families
from evaluation.ranking.ranking import RESTRICTED, Ranking, plus_minus
from evaluation.ranking.score_columns import BASELINES, STRUCTURE
from evaluation.truths.targets import Target
from testbed.command.numbers import TERMINAL

__all__ = ["print_ranking"]

CELL = len("+.608±.005")
DAGGER = "†"


def print_ranking(ranking: Ranking, console: Console) -> None:
    """Print the table, in blocks of as many targets as fit the console's width.

    With a second population, each target has two columns side by side.
    """
    table = ranking.whole_table
    left = max(len("pairs tied"), *map(len, table["label"]))
    left = min(left, max(2 * console.width // 5, len("pairs tied")))
    conditions = [one.condition for one in ranking.populations]
    wide = sum(max(CELL, len(condition)) + 2 for condition in conditions)
    across = max(1, (console.width - left - len("seeds") - 6) // wide)
    targets = list(dict.fromkeys(table["target"]))
    for start in range(0, len(targets), across):
        some = targets[start : start + across]
        console.print(_block(table, [(t, c) for t in some for c in conditions], left))
        console.print()
    for line in _legend(ranking):
        console.print(Text(line))


def _block(table: pd.DataFrame, columns: Sequence[tuple[str, str]], left: int) -> Table:
    """Return the table of these targets, each on a population named by its condition."""
    keyed = table.set_index(["target", "condition"])
    first = keyed.loc[~keyed.index.duplicated()].loc[list(columns)]
    several = len({condition for _, condition in columns}) > 1
    block = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bold")
    block.add_column("proxy", min_width=left, max_width=left, overflow="fold")
    block.add_column("seeds", justify="right", no_wrap=True)
    for (target, condition), flagged in zip(columns, first["ties_flag"], strict=True):
        heading = str(Target.parse(target)) + (DAGGER if flagged else "")
        heading += f"\n{condition or 'all'}" if several else ""
        block.add_column(Text(heading), justify="right", min_width=CELL)
    groups = families(dict(zip(table["label"], table["proxy"], strict=True)))
    heads = {names[0]: group for group, names in groups.items()} if len(groups) > 1 else {}
    many = table["label"].nunique() > MANY
    for label, rows in keyed.groupby("label", sort=False):
        if many and str(label) in heads:
            block.add_section()
            block.add_row(Text(heads[str(label)]), style="bold")
        cells = rows.loc[list(columns)]
        seeds = int(cells["seeds"].iloc[0])
        baseline = cells["proxy"].iloc[0] in BASELINES
        numbers = map(_cell, cells["tau"], cells["standard_error"])
        style = "dim" if baseline else ""
        block.add_row(Text(str(label)), str(seeds) if seeds else "–", *numbers, style=style)
    block.add_section()
    shares = (f"{share:.0%}" for share in first["tie_fraction"])
    block.add_row("pairs tied", "", *shares, style="italic")
    if several:
        block.add_row("n", "", *(f"{n:,}" for n in first["n"]), style="italic")
    block.add_section()
    return block


def _legend(ranking: Ranking) -> Iterator[str]:
    dataset = ranking.table["dataset"].iloc[0]
    yield f"n = {ranking.population}; accuracies on {dataset}."
    yield from ranking.other_images
    yield from ranking.truth
    yield from ranking.set_aside
    yield from ranking.combined
    yield from ranking.few
    if ranking.constant:
        yield f"There is no τ, for all values are equal: {ranking.constant}."
    if ranking.beside is not None:
        yield from _beside(ranking.beside)
    yield (
        "τ-b; sign as measured: a positive τ means a larger score goes with a more robust "
        f"network. {plus_minus(ranking.whole_table)}. ε in units of 1/255."
    )
    there = [name for name in BASELINES if (ranking.table["proxy"] == name).any()]
    paths = " (the fewest poolings on a live path of the cell)" if STRUCTURE in there else ""
    named = f"Baselines: {', '.join(there)}{paths}." if there else "There is no baseline."
    yield f"{named} Seeds are averaged by network before ranking."
    if len(ranking.columns) > MANY:
        yield "By family, the largest mean |τ| over the usual targets first."
    if ranking.whole_table["ties_flag"].any():
        yield f"{DAGGER} more than half of all pairs of networks are tied in this target."
    if ranking.left_out:
        yield "Of the scored networks (one may be counted more than once):"
    for note in ranking.left_out:
        yield f"  {note}."


def _beside(second: Ranking) -> Iterator[str]:
    """Yield what is to be said of the second population."""
    yield f"{second.condition}: n = {second.population}. {RESTRICTED}"
    for line in (*second.few, *(f"{note}." for note in second.left_out)):
        yield f"{second.condition}: {line}"
    if second.constant:
        yield f"{second.condition}: there is no τ, for all values are equal: {second.constant}."


def _cell(tau: float, error: float) -> str:
    if tau != tau:
        return "undefined"
    return TERMINAL.signed(tau, error) + ("±?" if error != error else "")
