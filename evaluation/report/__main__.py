"""The command ``python -m evaluation.report``: a page, figures and tables to publish."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.console import Console

from evaluation.ranking.suite_zero import read_any_scores
from evaluation.report.runs import measured, read_runs
from evaluation.report.searches import read_searches
from evaluation.report.study import study
from evaluation.report.write import write_report
from evaluation.truths import open_truth
from evaluation.truths.published import TruthError
from testbed.command.console import fail, progress, split_words, whole_numbers
from testbed.spaces.nasbench201.genotype import GenotypeError
from testbed.spaces.nasbench201.selection import SELECTION_HELP, select
from testbed.store import StoreError
from testbed.tables import RANDOM_CIFAR10

__all__ = ["main", "report"]

NO_SCORES = "none"


def report(
    truth: Annotated[
        Path,
        typer.Option(
            help="Folder of the truth (meta.json), NAS-RobBench-201's JSON file, or a NATS-Bench "
            "archive, for its clean accuracies.",
            show_default=False,
        ),
    ],
    store: Annotated[
        str | None,
        typer.Option(
            help="Table of scores: .sqlite, .parquet or .csv, or NAS-Bench-Suite-Zero's "
            "zc_nasbench201.json; none for a report of the truth "
            "alone. The package's own (random networks, CIFAR-10) if not given.",
            show_default=False,
        ),
    ] = None,
    dataset: Annotated[str, typer.Option(help="Data set of the truth.")] = "cifar10",
    proxies: Annotated[
        str | None,
        typer.Option(
            help="Names, separated by commas. If not given, all but those computed for less than "
            "half of the networks that others were computed for."
        ),
    ] = None,
    targets: Annotated[
        str | None,
        typer.Option(
            help="Names, separated by commas: clean, fgsm@1 (ε in units of 1/255), fog@3 "
            "(severity), 'mean corruption', 'mean adversarial'; all if not given."
        ),
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(help="Seeds to average: 0,1,2 or 0-9; all if not given.")
    ] = None,
    archs: Annotated[
        str | None, typer.Option(help=f"Networks whose cells are drawn: {SELECTION_HELP}.")
    ] = None,
    search: Annotated[
        Path | None,
        typer.Option(
            help="Folder of python -m evaluation.search, whose curves are shown.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder, made if it is not there.")] = Path("report"),
) -> None:
    """Write a page, figures and tables: how well scores rank robust accuracies.

    The page, index.html, needs no network and no other file to be opened. Beside it are the
    figures as SVG, PDF and PNG, and the tables as CSV and LaTeX (booktabs).
    """
    console = Console(stderr=True)
    try:
        opened = open_truth(truth, dataset)
        searches = None if search is None else read_searches(search)
        alone = store == NO_SCORES
        path = RANDOM_CIFAR10 if store is None else Path(store)
        with progress(console) as bar:

            def watch(items: Iterable) -> Iterator:
                items = list(items)
                task = bar.add_task("computing τ" if not done else "drawing", total=len(items))
                for item in items:
                    yield item
                    bar.advance(task)

            done: list[bool] = []
            found = study(
                opened,
                None if alone else read_any_scores(path, dataset),
                None if proxies is None else split_words(proxies),
                None if targets is None else split_words(targets),
                None if seeds is None else whole_numbers(seeds, "seeds"),
                [] if alone else read_runs(path),
                watch,
            )
            done.append(True)
            own = pd.DataFrame() if alone else measured(path, dataset)
            chosen = select(archs) if archs else []
            page = write_report(found, out, chosen, own, searches, watch)
    except (StoreError, TruthError, GenotypeError, ValueError, OSError) as error:
        fail(" ".join(str(error).split()))
    Console().print(f"The report is in {page}", soft_wrap=True, highlight=False)


def main() -> None:
    """Run the command."""
    typer.run(report)


if __name__ == "__main__":
    main()
