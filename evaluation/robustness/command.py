"""The command ``python -m evaluation.robustness``: measure how robust networks are, resumably."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from evaluation.attacks.assignments import SET_HELP, assigned
from evaluation.attacks.names import ATTACKS, attack_named
from evaluation.robustness.collection import Collection
from evaluation.robustness.corrupted_folder import CORRUPTED_HELP, corrupted_folder
from evaluation.robustness.measurement import Measure, Measurement
from evaluation.robustness.measures import attack_measures, corruption_measures, parse_epsilons
from evaluation.robustness.summary import EXPORTS, compare_attacks, export, print_summary
from testbed import engine, images
from testbed.command.console import check_device, default_workers, fail, split_words
from testbed.command.options import (
    Archive,
    DataRoot,
    Device,
    Download,
    Hp,
    ImageSetName,
    OwnNetworks,
    Threads,
    Weights,
    Workers,
)
from testbed.command.resumable import Plan, work
from testbed.corruptions import CORRUPTIONS
from testbed.sources import Choice, chosen_networks
from testbed.spaces.nasbench201.selection import SELECTION_HELP
from testbed.store import Store, StoreError

__all__ = ["main"]

app = typer.Typer(add_completion=False, rich_markup_mode=None)
APGD = ("apgd-ce", "apgd-dlr", "apgd-t")
# Options of before --set, for one release.
Former = Annotated[int | None, typer.Option(hidden=True, min=1)]
DEFAULT_ATTACKS = "fgsm,pgd,apgd-ce,square"


@app.command(
    epilog="Attacks: " + "; ".join(f"{spec.name}: {spec.summary}" for spec in ATTACKS.values())
)
def robustness(
    init: Annotated[str, typer.Option(help="trained or pretrained.")] = "trained",
    weights: Weights = None,
    archive: Archive = None,
    hp: Hp = "200",
    network: OwnNetworks = None,
    archs: Annotated[
        str | None, typer.Option(help=SELECTION_HELP + "; all there are if not given")
    ] = None,
    seeds: Annotated[str | None, typer.Option(help="Of the weights.", show_default=False)] = None,
    image_set: ImageSetName = "digits",
    data_root: DataRoot = None,
    download: Download = False,
    split: Annotated[str, typer.Option(help="train or test.")] = "test",
    count: Annotated[
        int | None, typer.Option(help="The first images of the split; all if not given.", min=1)
    ] = None,
    attacks: Annotated[str, typer.Option(help="Names, all or none.")] = DEFAULT_ATTACKS,
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
    assignments: Annotated[
        list[str] | None, typer.Option("--set", help=SET_HELP, show_default=False)
    ] = None,
    pgd_steps: Former = None,
    pgd_step_divisor: Annotated[float | None, typer.Option(hidden=True, min=0.1)] = None,
    apgd_steps: Former = None,
    apgd_restarts: Former = None,
    square_queries: Former = None,
    batch_size: Annotated[int, typer.Option(help="Images in a unit of work.", min=1)] = 250,
    device: Device = "cpu",
    workers: Workers = None,
    threads: Threads = 1,
    store: Annotated[Path, typer.Option(help="SQLite file.")] = Path("robustness.sqlite"),
    export_as: Annotated[
        str | None, typer.Option("--export", help=", ".join(EXPORTS), show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where the export goes; beside the store if not given.")
    ] = None,
) -> None:
    """Attack and corrupt images, and record how well networks still classify them.

    A result that the store holds is never computed again: run the same command to go on after
    an interruption, or a wider one to add to it.
    """
    console = Console()
    if export_as is not None and export_as not in EXPORTS:
        fail(f"unknown --export {export_as!r}; expected {', '.join(EXPORTS)}")
    if mode not in ("record", "accuracy"):
        fail(f"unknown --mode {mode!r}; expected record or accuracy")
    mode = "descending" if descending else mode
    try:
        loaded = images.load(image_set, data_root, split, download)
        choice = Choice(
            init=init, weights=weights, archive=archive, hp=hp, own=tuple(network or ()),
            archs=archs, seeds=seeds,
        )  # fmt: skip
        source, networks, seed_list = chosen_networks(choice, loaded)
        if source.fresh:
            fail(
                f"--init {init} is untrained: its robust accuracy is chance. Train first "
                "(python -m testbed.train) and use --init trained --weights FOLDER"
            )
        names = attacks_named(attacks)
        former = {
            "pgd.steps": pgd_steps, "pgd.step_divisor": pgd_step_divisor,
            "apgd.steps": apgd_steps, "apgd.restarts": apgd_restarts,
            "square.queries": square_queries,
        }  # fmt: skip
        settings = assigned([*former_settings(former, names), *(assignments or ())], names)
        measures = [
            Measure("clean", (None,)),
            *attack_measures(names, norm, parse_epsilons(epsilons), settings, backend),
        ]
        spoiled = named(corruptions, CORRUPTIONS)
        folder = None
        if spoiled:
            folder, word = corrupted_folder(corrupted, loaded, count, spoiled, store, console)
            measures += corruption_measures(spoiled, word)
        measurement = Measurement.of(
            loaded, count, source, mode=mode, seed=attack_seed, corrupted=folder,
            batch_size=batch_size, device=check_device(device),
        )  # fmt: skip
        plan = Plan(
            "evaluation.robustness", workers or default_workers(device), threads, device,
            "float32", {"archs": archs, "count": count, "mode": mode},
        )  # fmt: skip
        collection = Collection(measurement)
        with Store(store) as open_store:
            pieces = list(
                measurement.pieces(networks, seed_list, measures, open_store.finished_robustness())
            )
            outcome = work(
                measurement, pieces, open_store, plan, console, verb="measuring",
                name=lambda piece: f"{piece.network} under {piece.measure.key}",
                save=lambda run, piece, part: open_store.save_robustness(
                    run, collection.add(piece, part)
                ),
            )  # fmt: skip
            compare_attacks(open_store)
            table = open_store.robustness()
            print_summary(table, measurement, networks, seed_list, measures, console)
            if export_as is not None:
                export(open_store, table, export_as, out, image_set, mode, console)
    except (ValueError, OSError, StoreError, engine.EngineError) as error:
        fail(error)
    console.print(f"Results are in {store}.")
    outcome.report(console, store)


def attacks_named(option: str) -> list[str]:
    """Return the attacks of an option by their own names, each once.

    Raises:
        InputError: if one is unknown.
    """
    return list(dict.fromkeys(attack_named(word).name for word in named(option, ATTACKS)))


def former_settings(values: Mapping[str, float | None], attacks: Sequence[str]) -> Iterator[str]:
    """Yield what the options before --set said; ``apgd`` was the three APGD attacks then."""
    for word, value in values.items():
        name, _, setting = word.partition(".")
        for attack in APGD if name == "apgd" else (name,):
            if value is not None and attack in attacks:
                yield f"{attack}.{setting}={value}"


def named(option: str, known: Iterable[str]) -> list[str]:
    """Return the words of an option; ``all`` stands for all that are known, ``none`` for none."""
    if option in ("all", "none"):
        return list(known) if option == "all" else []
    return split_words(option)


def main() -> None:
    """Run the command."""
    app()
