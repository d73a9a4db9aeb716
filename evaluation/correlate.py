"""The command ``python -m evaluation.correlate``: how well scores rank a published truth."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from evaluation.ranking.score_columns import BASELINES, ScoreColumn
from evaluation.ranking.statistics_table import print_statistics
from evaluation.ranking.suite_zero import read_any_scores
from evaluation.ranking.table import Ranking, rank
from evaluation.truths import open_truth
from evaluation.truths.published import TruthError
from evaluation.truths.targets import Target
from testbed.command.console import fail, quiet_track, split_words, whole_numbers
from testbed.store import StoreError
from testbed.tables import RANDOM_CIFAR10

__all__ = ["main", "print_ranking"]

CELL = len("+.608±.005")
DAGGER = "†"


def correlate(
    truth: Annotated[
        Path,
        typer.Option(
            help="Folder of the published truth (meta.json), NAS-RobBench-201's JSON file, or a "
            "NATS-Bench archive, for its clean accuracies.",
            show_default=False,
        ),
    ],
    scores: Annotated[
        Path,
        typer.Option(
            help="Table of scores: .sqlite, .parquet or .csv, or NAS-Bench-Suite-Zero's "
            "zc_nasbench201.json. The package's own (random networks, CIFAR-10) if not given.",
            show_default=False,
        ),
    ] = RANDOM_CIFAR10,
    dataset: Annotated[str, typer.Option(help="Data set of the truth.")] = "cifar10",
    proxies: Annotated[
        str | None, typer.Option(help="Names, separated by commas; all if not given.")
    ] = None,
    targets: Annotated[
        str | None,
        typer.Option(
            help="Names, separated by commas: clean, fgsm@1 (ε in units of 1/255), fog@3 "
            "(severity), 'mean corruption', 'mean adversarial'; or all. "
            "A selection of 13 if not given."
        ),
    ] = None,
    attacks: Annotated[
        str | None,
        typer.Option(help="Every ε of these: fgsm, pgd, apgd, square; or corruptions: fog, …"),
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(help="Seeds to average, separated by commas; all if not given.")
    ] = None,
    statistics: Annotated[
        bool,
        typer.Option(
            "--statistics",
            help="Print also intervals, other measures, partial τ, ceilings: one table a target.",
        ),
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="CSV file for the table, one row a τ.", show_default=False)
    ] = None,
) -> None:
    """Rank published robust accuracies by training-free scores.

    Prints Kendall's τ-b, with its standard error, of every proxy with clean accuracy, each
    attack × ε and corruptions, on one common sample of networks. The number of parameters
    and FLOPs stand in every table: a proxy that does not beat them is worth nothing.
    """
    try:
        frame, opened = read_any_scores(scores, dataset), open_truth(truth, dataset)
        ranking = rank(
            frame,
            opened,
            None if proxies is None else split_words(proxies),
            None if targets is None else split_words(targets),
            split_words(attacks or ""),
            None if seeds is None else whole_numbers(seeds, "seeds"),
            watch=_bar,
        )
        if out is not None:
            ranking.table.to_csv(out, index=False)
    except (StoreError, TruthError, ValueError, OSError) as error:
        fail(" ".join(str(error).split()))
    console = Console()
    print_ranking(ranking, console)
    if statistics:
        console.print()
        print_statistics(ranking, console)
    if out is not None:
        console.print(Text(f"Written to {out}."))


def _bar(columns: Sequence[ScoreColumn]) -> Iterable[ScoreColumn]:
    return quiet_track(columns, "ranking")


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
    yield (
        "τ-b; sign as measured: a positive τ means a larger score goes with a more robust "
        "network. ± is one standard error. ε in units of 1/255."
    )
    yield "Baselines: params, flops. Seeds are averaged by network before ranking."
    if ranking.table["ties_flag"].any():
        yield f"{DAGGER} more than half of all pairs of networks are tied in this target."
    if ranking.left_out:
        yield "Of the scored networks (one may be counted more than once):"
    for note in ranking.left_out:
        yield f"  {note}."


def _cell(tau: float, error: float) -> str:
    if tau != tau:
        return "undefined"
    number = f"{tau:+.3f}".replace("0.", ".", 1)
    return number + (f"±{error:.3f}".replace("0.", ".", 1) if error == error else "")


def main() -> None:
    """Run the command."""
    typer.run(correlate)


if __name__ == "__main__":
    main()
