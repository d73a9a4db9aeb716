"""The command ``python -m evaluation.correlate``: how well scores rank a published truth."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from evaluation.attacks.plugins import offered
from testbed.basis.terminal import plain_console
from testbed.command.console import quiet_track, split_words, whole_numbers
from testbed.command.inputs import export_path, images_name
from testbed.command.options import (
    TABLE_FORMATS,
    Combine,
    OwnAttacks,
    PopulationOption,
    Proxies,
    Scores,
    Space,
    TableFormat,
    Targets,
    Truth,
    TruthImages,
    TruthWhere,
    Where,
)
from testbed.command.shell import Command, application
from testbed.files.replacing import replacing
from testbed.spaces.registry import get
from testbed.tables import RANDOM_CIFAR10

__all__ = ["main"]

app = application()


@app.command(cls=Command)
def correlate(
    truth: Truth,
    scores: Scores = None,
    space: Space = None,
    dataset: TruthImages = "cifar10",
    where: Where = None,
    truth_where: TruthWhere = None,
    population: PopulationOption = None,
    combine: Combine = None,
    proxies: Proxies = None,
    targets: Targets = None,
    attacks: Annotated[
        str | None,
        typer.Option(
            help="Every ε of these: fgsm, pgd, apgd, square; or corruptions: fog, …",
            show_default=False,
        ),
    ] = None,
    attack: OwnAttacks = None,
    seeds: Annotated[
        str | None,
        typer.Option(help="Seeds to average: 0,1,2 or 0-9; all if not given.", show_default=False),
    ] = None,
    statistics: Annotated[
        bool,
        typer.Option(
            "--statistics",
            help="Print also intervals, other measures, partial τ, ceilings: one table a target.",
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="File for the table, one row a τ: .csv or .parquet.", show_default=False),
    ] = None,
    format_: TableFormat = None,
) -> None:
    """Rank published robust accuracies by training-free scores.

    Prints Kendall's τ-b, with its standard error, of every proxy with clean accuracy, each
    attack × ε and corruptions, on one common sample of networks. The number of parameters
    and FLOPs stand in every table: a proxy that does not beat them is worth nothing.
    """
    out = export_path(out, format_, TABLE_FORMATS)
    numbers = None if seeds is None else whole_numbers(seeds, "seeds")
    offered(attack or ())

    from evaluation.ranking.printed import print_ranking
    from evaluation.ranking.roster import Roster
    from evaluation.ranking.statistics_table import print_statistics
    from evaluation.ranking.suite_zero import read_any_scores
    from evaluation.ranking.table import rank
    from evaluation.ranking.where import chosen_scores, fitting_scores
    from evaluation.truths import open_truth
    from testbed.files.formulas import defused

    asked = None if space is None else get(space)  # a user's own is known from here on
    dataset = images_name(dataset)
    frame = read_any_scores(scores or RANDOM_CIFAR10, dataset)
    opened = open_truth(truth, dataset, split_words(truth_where or ""), space)
    if asked is not None:
        Roster.of(opened).refuse_other(asked)
    conditions = split_words(where or "")
    frame = fitting_scores(frame, scores is not None, conditions, opened.facts.space)
    ranking = rank(
        chosen_scores(frame, conditions),
        opened,
        None if proxies is None else split_words(proxies),
        None if targets is None else split_words(targets),
        split_words(attacks or ""),
        numbers,
        watch=lambda columns: quiet_track(columns, "ranking"),
        population=population,
        combine=combine or (),
    )
    if out is not None:
        written = ranking.whole_table.drop(columns="label")
        with replacing(out) as temporary:
            if out.suffix == ".csv":
                defused(written).to_csv(temporary, index=False)
            else:
                written.to_parquet(temporary, index=False)
    console = plain_console()
    print_ranking(ranking, console)
    if statistics:
        console.print()
        print_statistics(ranking, console)
    if out is not None:
        console.print(Text(f"Written to {out}."), soft_wrap=True)


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
