"""The command ``python -m proxies.compute``: score networks, resumably."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from proxies.preparation import resolve
from proxies.registry import PROXIES, get
from proxies.study import Study, unfinished
from proxies.summary import print_summary
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
from testbed.errors import InputError
from testbed.sources import INITS, Choice, Source, chosen_networks
from testbed.spaces.nasbench201.selection import SELECTION_HELP
from testbed.store import EXPORTS, Store, StoreError

__all__ = ["main"]

app = typer.Typer(add_completion=False, rich_markup_mode=None)
DEFAULT_PROXIES = "params,flops,jacobian_norm,hessian_input"
DTYPES = ("float32", "float64")


@app.command(
    epilog="Proxies: " + "; ".join(f"{spec.name}: {spec.summary}" for spec in PROXIES.values())
)
def compute(
    init: Annotated[str, typer.Option(help=", ".join(INITS))] = "random",
    weights: Weights = None,
    archive: Archive = None,
    hp: Hp = "200",
    network: OwnNetworks = None,
    image_set: ImageSetName = "digits",
    data_root: DataRoot = None,
    download: Download = False,
    archs: Annotated[
        str | None,
        typer.Option(help=f"{SELECTION_HELP}; sample:24, or all trained ones, if not given"),
    ] = None,
    proxies: Annotated[str, typer.Option(help="Names, or all.")] = DEFAULT_PROXIES,
    seeds: Annotated[
        str | None,
        typer.Option(help="Of the weights: 0,1,2 or 0-9; 0, or an archive's 777, if not given."),
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Images in the batch.", min=1)] = 16,
    batch_seed: Annotated[int, typer.Option(help="Which images.", min=0)] = 0,
    batch_norm: Annotated[
        str,
        typer.Option(
            help="calibrated: statistics of the batch; running: as loaded; batch: train mode; "
            "auto: calibrated for fresh networks, else running."
        ),
    ] = "auto",
    channels: Annotated[int, typer.Option(help="C of random networks.", min=1)] = 16,
    cells: Annotated[int, typer.Option(help="N of random networks.", min=1)] = 5,
    dtype: Annotated[str, typer.Option(help=" or ".join(DTYPES))] = "float32",
    device: Device = "cpu",
    workers: Workers = None,
    threads: Threads = 1,
    memory_gb: Annotated[float, typer.Option(help="Of a part of the batch.", min=0.01)] = 1.0,
    store: Annotated[Path, typer.Option(help="SQLite file.")] = Path("scores.sqlite"),
    export: Annotated[
        Path | None, typer.Option(help="Also write .csv or .parquet.", show_default=False)
    ] = None,
    show: Annotated[int, typer.Option(help="Networks in the final table.", min=0)] = 10,
) -> None:
    """Score networks with training-free robustness proxies.

    A score that the store holds is never computed again: run the same command to go on
    after an interruption, or a wider one to add to it.
    """
    if dtype not in DTYPES:
        fail(f"unknown --dtype {dtype!r}; expected {' or '.join(DTYPES)}")
    if export is not None and export.suffix not in EXPORTS:
        fail(f"--export ends in {' or '.join(EXPORTS)}; got {export}")
    console = Console()
    try:
        names = list(PROXIES) if proxies == "all" else split_words(proxies)
        loaded = images.load(image_set, data_root, download=download)
        choice = Choice(
            init, weights, archive, hp, tuple(network or ()), archs, seeds, channels, cells
        )
        source, networks, seed_list = chosen_networks(choice, loaded)
        mode = batch_norm_mode(source, networks, seed_list[0], batch_norm)
        check_proxies(names, mode)
        study = Study.of(
            loaded, loaded.batch(batch_size, batch_seed), batch_seed, source, batch_norm=mode,
            dtype=dtype, device=check_device(device), memory=int(memory_gb * 2**30),
        )  # fmt: skip
        settings = study.common | source.settings(networks[0], seed_list[0]) | {"archs": archs}
        plan = Plan(
            "proxies.compute", workers or default_workers(device), threads, device, dtype, settings
        )
        wanted = study.tasks(networks, seed_list, names)
        with Store(store) as open_store:
            left = unfinished(wanted, open_store.finished())
            outcome = work(
                study, left, open_store, plan, console, verb="scoring",
                name=lambda task: task.network,
                save=lambda run, task, scored: open_store.save(run, scored),
                failures=lambda scored: scored.failures,
            )  # fmt: skip
            print_summary(open_store.scores(), wanted, names, console, show)
            if export is not None:
                open_store.export(export)
                console.print(f"Exported to {export}.")
    except (ValueError, OSError, StoreError, engine.EngineError) as error:
        fail(error)
    console.print(f"Scores are in {store}.")
    outcome.report(console, store)


def batch_norm_mode(source: Source, networks: list[str], seed: int | None, asked: str) -> str:
    """Return the batch-norm mode of a run, as it stands in the keys of its scores.

    Raises:
        ValueError: if the mode is unknown, is no normalisation at all for fresh networks, or
            ``auto`` would be another one for some of a user's networks.
    """
    if source.fresh and asked not in ("auto", "calibrated", "batch"):
        raise InputError(
            f"--batch-norm is calibrated or batch for a random network; got {asked!r} "
            "(the running statistics of a fresh network are no normalisation at all)"
        )
    if source.fresh:
        return "calibrated" if asked == "auto" else asked
    # The networks of a folder or an archive are all alike; a user's are not.
    names = networks if source.init == "own" else networks[:1]
    modes = {name: resolve(source.build(name, seed), asked) for name in names}
    if len(set(modes.values())) > 1:
        raise InputError(
            "the batch norms of some networks are fresh, of others not: score them apart, or name "
            f"a --batch-norm; auto would be {', '.join(f'{m} for {n}' for n, m in modes.items())}"
        )
    return modes[names[0]]


def check_proxies(names: list[str], batch_norm: str) -> None:
    """Raise ValueError for an unknown proxy, or one that the mode does not allow."""
    if not names:
        raise InputError(f"no proxy was named; known are {', '.join(PROXIES)}")
    for spec in map(get, names):
        spec.check_mode(batch_norm)


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
