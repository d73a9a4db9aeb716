"""The command ``python -m evaluation.robustness``: measure how robust networks are, resumably."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from evaluation.attacks.names import ATTACKS, attack_named
from evaluation.attacks.plugins import offered
from testbed.basis.errors import InputError
from testbed.basis.terminal import plain_console
from testbed.command.console import check_device, check_limit
from testbed.command.engines import Workforce
from testbed.command.inputs import (
    check_choice,
    default_store,
    export_path,
    load_images,
    named,
    note_former,
)
from testbed.command.options import (
    TABLE_FORMATS,
    Archive,
    Archs,
    Assignments,
    DataRoot,
    Device,
    Download,
    EngineOption,
    Factory,
    Hp,
    ImageSetName,
    NetworkList,
    OwnAttacks,
    OwnNetworks,
    RetryFailed,
    Seeds,
    ShardOption,
    Space,
    Split,
    Store,
    Threads,
    TimeLimit,
    Weights,
    Workers,
)
from testbed.command.outputs import check_folder, check_store
from testbed.command.shards import Shard
from testbed.command.shell import Command, application, refuse_given
from testbed.images.names import CORRUPTIONS
from testbed.sources.names import INITS
from testbed.sources.own_name import own_names

__all__ = ["main"]

app = application()
EXPORTS = ("robustness-json", *TABLE_FORMATS)
CORRUPTED_HELP = (
    "folder of <corruption>.npy and labels.npy, as CIFAR-10-C has them; generate: make them "
    "once, beside the store"
)
OF_ATTACKS = (
    "norm", "epsilons", "mode", "descending", "backend", "attack_seed", "assignments",
    "save_adversarial",
)  # fmt: skip
APGD = ("apgd-ce", "apgd-dlr", "apgd-t")
# Options of before --set, for one release.
Former = Annotated[int | None, typer.Option(hidden=True, min=1)]
DEFAULT_ATTACKS = "fgsm,pgd,apgd-ce,square"


@app.command(
    cls=Command,
    epilog="Attacks: " + "; ".join(f"{spec.name}: {spec.summary}" for spec in ATTACKS.values()),
)
def robustness(
    context: typer.Context,
    init: Annotated[str, typer.Option(help="trained or pretrained.")] = "trained",
    weights: Weights = None,
    archive: Archive = None,
    hp: Hp = None,
    network: OwnNetworks = None,
    networks_file: NetworkList = None,
    factory: Factory = None,
    archs: Archs = None,
    space: Space = None,
    seeds: Seeds = None,
    image_set: ImageSetName = "digits",
    data_root: DataRoot = None,
    download: Download = False,
    split: Split = "test",
    count: Annotated[
        int | None, typer.Option(help="The first images of the split; all if not given.", min=1)
    ] = None,
    attacks: Annotated[str, typer.Option(help="Names, all or none.")] = DEFAULT_ATTACKS,
    attack: OwnAttacks = None,
    corruptions: Annotated[str, typer.Option(help="Names, all or none.")] = "none",
    corrupted: Annotated[str, typer.Option(help=CORRUPTED_HELP)] = "generate",
    norm: Annotated[str, typer.Option(help="Linf or L2.")] = "Linf",
    epsilons: Annotated[
        str, typer.Option(help="In units of 1/255: 0.5,1,2; paper: those of the data set.")
    ] = "paper",
    mode: Annotated[
        str, typer.Option(help="record: as the paper; accuracy: robust accuracies only, cheaper.")
    ] = "record",
    descending: Annotated[
        bool,
        typer.Option("--descending", help="accuracy from the largest ε down: cheapest, audited."),
    ] = False,
    backend: Annotated[str, typer.Option(help="own, or original: the AutoAttack package.")] = "own",
    attack_seed: Annotated[int, typer.Option(help="Of the attacks' draws.", min=0)] = 0,
    assignments: Assignments = None,
    pgd_steps: Former = None,
    pgd_step_divisor: Annotated[float | None, typer.Option(hidden=True, min=0.1)] = None,
    apgd_steps: Former = None,
    apgd_restarts: Former = None,
    square_queries: Former = None,
    batch_size: Annotated[int, typer.Option(help="Images in a unit of work.", min=1)] = 250,
    device: Device = "cpu",
    workers: Workers = None,
    threads: Threads = 1,
    engine: EngineOption = None,
    time_limit: TimeLimit = None,
    retry_failed: RetryFailed = False,
    store: Store = None,
    shard: ShardOption = None,
    save_adversarial: Annotated[
        Path | None,
        typer.Option(
            "--save-adversarial",
            help="Folder to keep the attacked images in, a file for each network, attack and ε.",
            show_default=False,
        ),
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            "--export",
            help=f"Also export to --out: {', '.join(EXPORTS)}. By the ending of --out if not "
            "given, else robustness-json, the published layout.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File or folder of the export; beside the store if not given.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Attack and corrupt images, and record how well networks still classify them.

    A result that the store holds is never computed again: run the same command to go on after
    an interruption, or a wider one to add to it.
    """
    check_choice("--init", init, INITS)
    limit = check_limit(time_limit)
    mode = chosen_mode(context, mode, descending)
    force = Workforce.parse(engine, workers)
    plugins = tuple(attack or ())
    names = list(dict.fromkeys([*offered(plugins), *attacks_named(attacks)]))
    if not names and attacks != "none":
        raise InputError(f"--attacks are names, all or none; got {attacks!r}")
    if not names:
        refuse_given(context, "no --attacks are named", *OF_ATTACKS)
    former = {
        "pgd.steps": pgd_steps, "pgd.step_divisor": pgd_step_divisor,
        "apgd.steps": apgd_steps, "apgd.restarts": apgd_restarts,
        "square.queries": square_queries,
    }  # fmt: skip
    wanted = corruptions_named(corruptions)
    if not wanted:
        refuse_given(context, "no --corruptions are named", "corrupted")
    own, maker = own_names(network, networks_file, factory)
    if init != "pretrained" or own:
        refuse_given(context, "it is of --init pretrained --archive PATH", "hp")
    if own:
        refuse_given(context, "--network brings its own weights", "init")
    export_as = export_format(format_, out)
    out = export_place(export_as, out)
    part, whole = Shard.parse(shard), store or default_store(image_set)
    store = part.beside(whole)
    if save_adversarial is not None:
        check_folder(save_adversarial, "--save-adversarial")
    console = plain_console()

    from evaluation.attacks.assignments import assigned
    from evaluation.attacks.epsilons import unit_notes
    from evaluation.robustness.corrupted_folder import corrupted_folder
    from evaluation.robustness.job import MeasuringJob, check_count
    from evaluation.robustness.measures import attack_measures, corruption_measures, parse_epsilons
    from evaluation.robustness.pieces import Measure
    from evaluation.robustness.summary import compare_attacks, export, print_summary
    from testbed.command.job import Execution, run_job
    from testbed.sources import Choice, OwnSource, chosen_networks
    from testbed.store import Store as ResultsFile

    check_store(store)
    check_device(device)
    loaded = load_images(image_set, data_root, split, download)
    check_count(count, loaded)
    choice = Choice(
        init=init, weights=weights, archive=archive, hp=hp, own=own, factory=maker,
        archs=archs, seeds=seeds, space=space,
    )  # fmt: skip
    apart = force.apart(device, threads, limit)
    source, every, seed_list = chosen_networks(choice, loaded, apart)
    networks = part.take(every)
    if source.fresh:
        raise InputError(
            f"--init {init} is untrained: its robust accuracy is chance. Train first "
            "(robustness-proxies train) and use --init trained --weights FOLDER"
        )
    if isinstance(source, OwnSource) and source.untrained:
        raise InputError(
            f"{source.untrained[0]} is untrained: its robust accuracy is chance. Add pretrained, "
            "or give a function of yours that loads trained weights"
        )
    settings = assigned([*former_settings(former, names), *(assignments or ())], names)
    asked = parse_epsilons(epsilons)
    for note in unit_notes(asked or ()):
        typer.echo(note, err=True)  # before hours of attacks, and with the results
    measures = [
        Measure("clean", (None,)),
        *attack_measures(names, norm, asked, settings, backend),
    ]
    note_former(store, image_set, "robustness.sqlite")
    folder = None
    if wanted:
        folder, word = corrupted_folder(corrupted, loaded, count, wanted, store, console)
        measures += corruption_measures(wanted, word)
    job = MeasuringJob.of(
        loaded, count, source, mode=mode, seed=attack_seed, corrupted=folder,
        batch_size=batch_size, device=device, plugins=plugins, kept=save_adversarial,
    )  # fmt: skip
    execution = Execution(
        "evaluation.robustness", force.count(device), threads, device,
        "float32", {"archs": archs, "count": count, "mode": mode}, engine=force.engine,
        limit=limit,
    )  # fmt: skip
    with ResultsFile(store) as open_store:
        wholes = job.wholes(networks, seed_list, measures)
        asked = [digest for whole in wholes for digest in whole.digests]
        failed = set() if retry_failed else open_store.failed(asked)
        left = job.pieces(wholes, open_store.finished_robustness(asked), failed)
        ending = run_job(
            job, left, open_store, execution, console, failed_before=len(failed),
            nothing=part.nothing(every),
        )  # fmt: skip
        compare_attacks(open_store, networks)
        table = open_store.robustness(None if export_as else networks)
        print_summary(table, wholes, measures, console)
        if export_as is not None:
            export(open_store, table, export_as, out, loaded.name, mode, console)
    console.print(f"Results are in {store}.{part.joined(whole)}", soft_wrap=True)
    if save_adversarial is not None:
        console.print(f"Adversarial images are in {save_adversarial}.", soft_wrap=True)
    ending.report(console, store)


def chosen_mode(context: typer.Context, mode: str, descending: bool) -> str:
    """Return the mode of a run.

    Raises:
        ToolkitError: if it is unknown, or ``--descending`` would overrule another one.
    """
    check_choice("--mode", mode, ("record", "accuracy"))
    if descending and mode == "record":
        refuse_given(context, "--descending wants robust accuracies only", "mode")
    return "descending" if descending else mode


def export_format(kind: str | None, out: Path | None) -> str | None:
    """Return one of `EXPORTS` that the options ask for; None for no export.

    Raises:
        InputError: if it is unknown.
    """
    if kind is not None:
        return check_choice("--format", kind, EXPORTS)
    if out is None:
        return None
    ending = out.suffix.removeprefix(".")
    if ending.isalpha() and ending not in TABLE_FORMATS:
        raise InputError(
            f"--out ends in .csv or .parquet, or names a folder; got {out} (if it is one: "
            f"--format {EXPORTS[0]})"
        )
    return ending if ending in TABLE_FORMATS else EXPORTS[0]


def export_place(kind: str | None, out: Path | None) -> Path | None:
    """Return where an export goes, if it can be written; None for beside the store.

    Raises:
        InputError: if it cannot, or has another ending.
    """
    if out is None or kind is None:
        return None
    return export_path(out, kind, TABLE_FORMATS) if kind in TABLE_FORMATS else check_folder(out)


def attacks_named(option: str) -> list[str]:
    """Return the attacks of an option by their own names, each once.

    Raises:
        InputError: if one is unknown.
    """
    return list(dict.fromkeys(attack_named(word).name for word in named(option, ATTACKS)))


def corruptions_named(option: str) -> list[str]:
    """Return the corruptions of an option, each once.

    Raises:
        InputError: if one is unknown.
    """
    names = named(option, CORRUPTIONS)
    for name in names:
        check_choice("corruption", name, CORRUPTIONS)
    if not names and option != "none":
        raise InputError(f"--corruptions are names, all or none; got {option!r}")
    return names


def former_settings(values: Mapping[str, float | None], attacks: Sequence[str]) -> Iterator[str]:
    """Yield what the options before --set said; ``apgd`` was the three APGD attacks then."""
    for word, value in values.items():
        name, _, setting = word.partition(".")
        for attack in APGD if name == "apgd" else (name,):
            if value is not None and attack in attacks:
                yield f"{attack}.{setting}={value}"


def main() -> None:
    """Run the command."""
    app()
