"""The command ``python -m evaluation.search``: search for robust networks, with proxies or not."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from evaluation.attacks.plugins import offered
from evaluation.search.names import FIGURES, TABLES
from evaluation.search.refusals import attack_settings, check_asked, check_fit
from evaluation.search.registry import ALGORITHMS, choose
from testbed.basis.terminal import plain_console
from testbed.command.console import check_device, check_limit, split_words, whole_numbers
from testbed.command.engines import Workforce
from testbed.command.inputs import check_choice, images_name
from testbed.command.options import (
    MOST_WORKERS,
    Assignments,
    EngineOption,
    OwnAttacks,
    RetryFailed,
    Scores,
    Space,
    Threads,
    TruthWhere,
    Where,
)
from testbed.command.outputs import check_folder
from testbed.command.shell import INTERRUPTED, Command, application
from testbed.images.names import FORMS, NAMES
from testbed.spaces.registry import DEFAULT, get
from testbed.tables import RANDOM_CIFAR10
from testbed.train.recipe import PRESETS, override, preset_named

__all__ = ["main"]

app = application()
OWN = "own"  # no space: names are taken as they are


@app.command(
    cls=Command,
    epilog="Algorithms: " + "; ".join(f"{a.name}: {a.summary}" for a in ALGORITHMS.values()),
)
def search(
    context: typer.Context,
    truth: Annotated[
        Path | None,
        typer.Option(help="A truth, of any kind that correlate reads.", show_default=False),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Instead of a truth: train and attack, resumably.")
    ] = False,
    image_set: Annotated[
        str | None,
        typer.Option(
            "--images",
            "--dataset",
            help="Data set of the truth, cifar10 if not given; with --live, digits if not given, "
            f"or one of {', '.join((*NAMES[1:], *FORMS))}.",
            show_default=False,
        ),
    ] = None,
    space: Space = None,
    truth_where: TruthWhere = None,
    objective: Annotated[
        str,
        typer.Option(
            help="clean, fgsm@1 (ε in units of 1/255), fog@3 (severity), 'mean corruption', "
            "'mean adversarial'; several, separated by commas, for their front; or a proxy."
        ),
    ] = "fgsm@1",
    algorithm: Annotated[
        str, typer.Option(help="Names (below), separated by commas, or all.")
    ] = "all",
    queries: Annotated[int, typer.Option(help="Networks asked for in a run.", min=1)] = 300,
    runs: Annotated[
        int | None,
        typer.Option(help="Of each algorithm; 100, or 1 with --live.", min=1, show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the searches.")] = 0,
    attack: OwnAttacks = None,
    proxy: Annotated[
        str | None,
        typer.Option(
            help="Of the scores, separated by commas; -name if smaller promises more.",
            show_default=False,
        ),
    ] = None,
    scores: Scores = None,
    where: Where = None,
    held_out: Annotated[
        str | None,
        typer.Option(
            help="Say, too, how well forests fitted to so many networks rank the rest: 32,1024.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for trajectories, tables and figures; with --live for networks and "
            "results too.",
            show_default=False,
        ),
    ] = None,
    table: Annotated[
        str, typer.Option("--format", "--table", help=f"Trajectories: {' or '.join(TABLES)}.")
    ] = TABLES[0],
    figures: Annotated[str, typer.Option(help=f"Of {', '.join(FIGURES)}.")] = FIGURES[0],
    workers: Annotated[
        int | None,
        typer.Option(
            help="Processes; as fits if not given, 1 with --live.", min=1, max=MOST_WORKERS
        ),
    ] = None,
    threads: Threads = 1,
    engine: EngineOption = None,
    data_root: Annotated[
        Path | None, typer.Option(help="Live: folder of the image set.", show_default=False)
    ] = None,
    preset: Annotated[str, typer.Option(help=f"Live: {', '.join(PRESETS)}.")] = "tiny",
    epochs: Annotated[
        int | None,
        typer.Option(help="Live: instead of the preset's; so the next two.", show_default=False),
    ] = None,
    channels: Annotated[
        int | None, typer.Option(help="Live: C, width of the first stage.", show_default=False)
    ] = None,
    cells: Annotated[
        int | None, typer.Option(help="Live: N, cells in a stage.", show_default=False)
    ] = None,
    count: Annotated[
        int | None, typer.Option(help="Live: the first test images; all if not given.", min=1)
    ] = None,
    weights_seed: Annotated[int, typer.Option(help="Live: of weights and training.")] = 0,
    assignments: Assignments = None,
    square_queries: Annotated[int | None, typer.Option(hidden=True, min=1)] = None,
    device: Annotated[str, typer.Option(help="Live: cpu, cuda, cuda:1, …")] = "cpu",
    time_limit: Annotated[
        float | None,
        typer.Option(
            help="Live: seconds that a training may take, or a network under one measure. They "
            "run in a process of their own then: one that is late is ended, one that dies is tried "
            "again; the network has failed, and the search goes on. None if not given.",
            show_default=False,
        ),
    ] = None,
    retry_failed: RetryFailed = False,
) -> None:
    """Search for robust networks, and see what a proxy buys.

    On a truth every algorithm runs many times; the tables show the mean over what the runs
    found, ± one standard error. With --live, networks are trained and attacked when they are
    asked for; one that fails has no score, and the search goes on. What the folder --out holds
    is not done again.
    """
    check_choice("--format", table, TABLES)
    for kind in split_words(figures):
        check_choice("--figures", kind, FIGURES)
    check_asked(context, truth, live, out, workers, engine)
    limit = check_limit(time_limit)
    force = Workforce.parse(engine, workers)
    if out is not None:
        check_folder(out)
    algorithms = choose(split_words(algorithm), proxy is not None)
    fitted = whole_numbers(held_out, "--held-out") if held_out else []
    recipe = override(preset_named(preset), epochs=epochs, channels=channels, cells=cells)
    offered(attack or ())

    from evaluation.ranking.coverage import left_seeds
    from evaluation.ranking.score_columns import other_images, score_columns
    from evaluation.ranking.where import chosen_scores, fitting_scores
    from evaluation.search.live_setup import LiveSettings, live_candidates
    from evaluation.search.problem import truth_candidates, truth_problem
    from evaluation.search.proxy_scores import choose_proxies
    from evaluation.search.running import Plan, search_live, search_truth
    from evaluation.truths import open_truth
    from testbed.store import read_scores

    check_fit(algorithms, proxy is not None)
    image_set = image_set or ("digits" if live else "cifar10")
    asked = None if space in (None, OWN) else get(str(space))  # a user's own is known from here on
    conditions = split_words(where or "")
    frame, truth_there = read_scores(scores or RANDOM_CIFAR10), None
    if truth is None:
        record = asked or get(DEFAULT)
        record.check(**{n: v for n, v in (("channels", channels), ("cells", cells)) if v})
        frame = fitting_scores(frame, scores is not None, conditions, record.key)
        candidates = live_candidates(record, recipe, frame, proxy is not None)
    else:
        chosen = split_words(truth_where or "")
        truth_there = open_truth(truth, images_name(image_set), chosen, space)
        candidates = truth_candidates(truth_there)
        candidates.roster.refuse_other(asked)
        there = truth_there.facts.space
        frame = fitting_scores(frame, scores is not None, conditions, there)
    frame = chosen_scores(frame, conditions)
    proxies = choose_proxies(frame, split_words(proxy or ""), candidates)
    targets, notices = split_words(objective), plain_console(stderr=True)
    hands = force.count("cpu") if workers or engine else None
    plan = Plan(
        algorithms, proxies, queries, runs or (1 if live else 100), seed, hands, threads,
        force.engine,
    )  # fmt: skip
    try:
        if live and out is not None:
            settings = LiveSettings(
                recipe, image_set, data_root, count, weights_seed,
                check_device(device), threads,
                attack_settings(assignments or (), square_queries, targets), tuple(sys.argv), limit,
                retry_failed,
            )  # fmt: skip
            findings = search_live(plan, out, targets, settings, notices, candidates)
        else:
            assert truth_there is not None
            problem = truth_problem(truth_there, targets, frame)
            findings = search_truth(plan, problem, notices, out)
    except KeyboardInterrupt:
        rest = (
            "; the same command goes on from here" if out else "; with --out FOLDER it could go on"
        )
        typer.echo(f"interrupted{rest}", err=True)
        raise typer.Exit(INTERRUPTED) from None
    written = findings.write(out, table, split_words(figures)) if out else []
    console = plain_console()
    if said := findings.among:
        console.print(Text(said), soft_wrap=True)
    findings.show(console)
    findings.show_proxies(frame, fitted, console)
    if truth_there is not None:
        console.print(Text(truth_there.facts.sentence))
    columns, _ = score_columns(frame, roster=candidates.roster)
    for sentence in (*other_images(columns, images_name(image_set)), *left_seeds(columns)):
        console.print(Text(sentence))
    for path in written:
        console.print(Text(f"Written: {path}"), soft_wrap=True)
    if out is not None:
        findings.problem.ending.report(console, out)


def main() -> None:
    """Run the command."""
    app()
