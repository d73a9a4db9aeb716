"""The command ``python -m evaluation.report``: a page, figures and tables to publish."""

import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from evaluation.attacks.plugins import offered
from testbed.basis.errors import InputError
from testbed.basis.terminal import plain_console
from testbed.command.console import progress, split_words, whole_numbers
from testbed.command.inputs import images_name
from testbed.command.options import (
    ARCHS_HELP,
    SCORES,
    Combine,
    OwnAttacks,
    PopulationOption,
    Proxies,
    Space,
    Truth,
    TruthImages,
    TruthWhere,
    Where,
)
from testbed.command.outputs import check_folder
from testbed.command.shell import Command, application, refuse_given
from testbed.tables import RANDOM_CIFAR10

__all__ = ["main", "report"]

app = application()
NO_SCORES = "none"
LONGEST = 300  # letters of a word of the command line


@app.command(cls=Command)
def report(
    context: typer.Context,
    truth: Truth,
    scores: Annotated[
        str | None,
        typer.Option(
            *SCORES,
            help="Table or store of scores: .sqlite, .parquet or .csv, or NAS-Bench-Suite-Zero's "
            "zc_nasbench201.json; none for a report of the truth alone. The package's own "
            "(random networks, CIFAR-10) if not given.",
            show_default=False,
        ),
    ] = None,
    dataset: TruthImages = "cifar10",
    space: Space = None,
    where: Where = None,
    truth_where: TruthWhere = None,
    population: PopulationOption = None,
    combine: Combine = None,
    proxies: Proxies = None,
    targets: Annotated[
        str | None,
        typer.Option(
            help="Names, separated by commas: clean, fgsm@1 (ε in units of 1/255), fog@3 "
            "(severity), 'mean corruption', 'mean adversarial'; all if not given.",
            show_default=False,
        ),
    ] = None,
    attack: OwnAttacks = None,
    seeds: Annotated[
        str | None,
        typer.Option(help="Seeds to average: 0,1,2 or 0-9; all if not given.", show_default=False),
    ] = None,
    archs: Annotated[
        str | None,
        typer.Option(help=f"Networks whose cells are drawn: {ARCHS_HELP}.", show_default=False),
    ] = None,
    search: Annotated[
        Path | None,
        typer.Option(help="Folder of a search, whose curves are shown.", show_default=False),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder, made if it is not there.")] = Path("report"),
) -> None:
    """Write a page, figures and tables: how well scores rank robust accuracies.

    The page, index.html, needs no network and no other file to be opened. Beside it are the
    figures as SVG, PDF and PNG, and the tables as CSV and LaTeX (booktabs).
    """
    alone = scores == NO_SCORES
    if alone:
        refuse_given(
            context,
            "--scores none reports the truth alone",
            "where",
            "population",
            "combine",
            "proxies",
            "seeds",
        )
    path = RANDOM_CIFAR10 if scores is None else Path(scores)
    numbers = None if seeds is None else whole_numbers(seeds, "seeds")
    check_folder(out)
    offered(attack or ())

    import pandas as pd

    from evaluation.ranking.roster import Roster
    from evaluation.ranking.suite_zero import read_any_scores
    from evaluation.ranking.where import chosen_scores, fitting_scores
    from evaluation.report.page import Made
    from evaluation.report.prose.headline import headline
    from evaluation.report.runs import measured, read_runs
    from evaluation.report.searches import read_searches
    from evaluation.report.study import study
    from evaluation.report.write import write_report
    from evaluation.truths import open_truth
    from evaluation.truths.training_note import rows_of_training
    from testbed.spaces.registry import get
    from testbed.spaces.selection import space_of_words

    asked = None if space is None else get(space)  # a user's own is known from here on
    dataset = images_name(dataset)
    opened = open_truth(truth, dataset, split_words(truth_where or ""), space)
    drawn = asked
    if asked is not None or archs:
        roster = Roster.of(opened)
        roster.refuse_other(asked)
        drawn = asked or (space_of_words(archs) if roster.by_number else roster.space)
    if archs and drawn is None:
        raise InputError("--archs draws cells, and the networks of the truth are of no known space")
    chosen = [drawn.name(one) for one in drawn.select(archs)] if archs and drawn else []
    conditions = split_words(where or "")
    frame = None
    if not alone:
        found_there = read_any_scores(path, dataset)
        frame = fitting_scores(found_there, scores is not None, conditions, opened.facts.space)
        alone = frame.empty  # but for the baselines of the space: no run has made them
        frame = chosen_scores(frame, conditions)
    searches = None if search is None else read_searches(search)
    with progress(plain_console(stderr=True)) as bar:

        def watch(items: Iterable) -> Iterator:
            items = list(items)
            task = bar.add_task("computing τ" if not done else "drawing", total=len(items))
            for item in items:
                yield item
                bar.advance(task)

        done: list[bool] = []
        found = study(
            opened,
            frame,
            None if proxies is None else split_words(proxies),
            None if targets is None else split_words(targets),
            numbers,
            [] if alone else read_runs(path),
            watch,
            population,
            combine or (),
        )
        done.append(True)
        own = pd.DataFrame() if alone else measured(path, dataset)
        own = rows_of_training(own, opened.facts.training)
        made = Made(command_line(context))
        page = write_report(found, out, chosen, own, searches, watch, made)
    console = plain_console()
    console.print(f"The report is in {page}", soft_wrap=True, highlight=False)
    for sentence in headline(found):
        console.print(Text(sentence))


def command_line(context: typer.Context) -> str:
    """Return the command with the options that were given."""
    from evaluation.ranking.labels import printable

    words = ["robustness-proxies", "report"]
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            given = context.params[name]
            for value in given if isinstance(given, list | tuple) else [given]:
                words += [parameter.opts[0], str(value)]
    return shlex.join(printable(word, LONGEST) for word in words)


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
