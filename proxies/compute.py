"""The command ``python -m proxies.compute``: score networks, resumably."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proxies.assignments import assigned
from testbed.basis.errors import InputError
from testbed.basis.terminal import plain_console
from testbed.catalogue.plugins import load
from testbed.catalogue.registry import PROXIES, chosen, get, words
from testbed.command.console import check_device, check_limit
from testbed.command.engines import Workforce
from testbed.command.inputs import (
    check_choice,
    default_store,
    export_path,
    load_images,
    note_former,
    split_words,
)
from testbed.command.options import (
    CELLS_HELP,
    CHANNELS_HELP,
    TABLE_FORMATS,
    Archive,
    Archs,
    DataRoot,
    Device,
    Download,
    EngineOption,
    Factory,
    Hp,
    ImageSetName,
    NetworkList,
    OwnNetworks,
    RetryFailed,
    Seeds,
    ShardOption,
    Show,
    Space,
    Store,
    TableFormat,
    Threads,
    TimeLimit,
    Weights,
    Workers,
)
from testbed.command.outputs import check_store
from testbed.command.shards import Shard
from testbed.command.shell import Command, application, refuse_given
from testbed.sources.names import INITS
from testbed.sources.own_name import own_names
from testbed.spaces.names import MOST_CELLS, MOST_CHANNELS

MOST_MEMORY = 100_000  # gigabytes

if TYPE_CHECKING:
    from testbed.sources import Source

__all__ = ["main"]

app = application()
DEFAULT_PROXIES = "params,flops,jacobian_norm,hessian_input"
DTYPES = ("float32", "float64")


@app.command(
    cls=Command,
    epilog="Proxies: " + "; ".join(f"{spec.name}: {spec.summary}" for spec in PROXIES.values()),
)
def compute(
    context: typer.Context,
    init: Annotated[str, typer.Option(help=", ".join(INITS))] = "random",
    weights: Weights = None,
    archive: Archive = None,
    hp: Hp = None,
    network: OwnNetworks = None,
    networks_file: NetworkList = None,
    factory: Factory = None,
    image_set: ImageSetName = "digits",
    data_root: DataRoot = None,
    download: Download = False,
    archs: Archs = None,
    space: Space = None,
    proxies: Annotated[
        str, typer.Option(help=f"Names, or groups: {', '.join(words())}.")
    ] = DEFAULT_PROXIES,
    proxy: Annotated[
        list[str] | None,
        typer.Option(
            help="module:attribute, the ProxySpec of a proxy of your own, which is computed too. "
            "May be repeated.",
            show_default=False,
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="An option of a proxy: jacobian_projection.projections=3. May be repeated.",
            show_default=False,
        ),
    ] = None,
    seeds: Seeds = None,
    batch_size: Annotated[int, typer.Option(help="Images in the batch.", min=1)] = 16,
    batch_seed: Annotated[int, typer.Option(help="Which images.", min=0)] = 0,
    batch_norm: Annotated[
        str,
        typer.Option(
            help="calibrated: statistics of the batch; running: as loaded; batch: train mode; "
            "auto: calibrated for fresh networks, else running."
        ),
    ] = "auto",
    channels: Annotated[
        int | None,
        typer.Option(
            help=f"Of random networks. {CHANNELS_HELP} The publication's (16, 36) if not given.",
            min=1,
            max=MOST_CHANNELS,
            show_default=False,
        ),
    ] = None,
    cells: Annotated[
        int | None,
        typer.Option(
            help=f"Of random networks. {CELLS_HELP} The publication's (5, 20) if not given.",
            min=1,
            max=MOST_CELLS,
            show_default=False,
        ),
    ] = None,
    dtype: Annotated[str, typer.Option(help=" or ".join(DTYPES))] = "float32",
    device: Device = "cpu",
    workers: Workers = None,
    threads: Threads = 1,
    engine: EngineOption = None,
    time_limit: TimeLimit = None,
    retry_failed: RetryFailed = False,
    memory_gb: Annotated[float, typer.Option(help="Of a part of the batch.", min=0.01)] = 1.0,
    store: Store = None,
    shard: ShardOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "--export",
            help="Also write all scores to a .csv or .parquet file.",
            show_default=False,
        ),
    ] = None,
    format_: TableFormat = None,
    show: Show = 10,
) -> None:
    """Score networks with training-free robustness proxies.

    A score that the store holds is never computed again: run the same command to go on
    after an interruption, or a wider one to add to it.
    """
    check_choice("--init", init, INITS)
    check_choice("--dtype", dtype, DTYPES)
    force = Workforce.parse(engine, workers)
    limit = check_limit(time_limit)
    part, whole = Shard.parse(shard), store or default_store(image_set)
    store = part.beside(whole)
    export = export_path(out, format_, TABLE_FORMATS, store)
    own, maker = own_names(network, networks_file, factory)
    refuse_unread(context, init, own)
    console = plain_console()

    import torch

    from proxies.job import ScoringJob, unfinished
    from proxies.preparation import BATCH_NORM_MODES, resolve
    from proxies.scoring import check_options
    from proxies.summary import print_summary
    from testbed.command.job import Execution, run_job
    from testbed.sources import Choice, chosen_networks
    from testbed.store import Store as ResultsFile

    check_store(store)
    plugins = tuple(proxy or ())
    names = chosen([*load(plugins), *split_words(proxies)])
    options, memory = assigned(set_ or [], names), _bytes(memory_gb)
    loaded = load_images(image_set, data_root, download=download)
    choice = Choice(
        init, weights, archive, hp, own, maker, archs, seeds, channels, cells, space
    )  # fmt: skip
    apart, ask = force.apart(device, threads, limit), None
    if own:
        check_choice("--batch-norm", batch_norm, ("auto", *BATCH_NORM_MODES))
        ask = partial(resolve, mode=batch_norm)
    source, every, seed_list = chosen_networks(choice, loaded, apart, ask)
    networks = part.take(every)
    mode = batch_norm_mode(source, every, seed_list[0], batch_norm)
    check_proxies(names, mode)
    check_options(options, mode, check_device(device), getattr(torch, dtype))
    job = ScoringJob.of(
        loaded, loaded.batch(batch_size, batch_seed), batch_seed, source, batch_norm=mode,
        dtype=dtype, device=device, memory=memory, options=options, plugins=plugins,
    )  # fmt: skip
    settings = job.common | source.settings(every[0], seed_list[0]) | {"archs": archs}
    execution = Execution(
        "proxies.compute", force.count(device), threads, device, dtype, settings,
        engine=force.engine, limit=limit,
    )  # fmt: skip
    wanted = job.tasks(networks, seed_list, names)
    note_former(store, image_set, "scores.sqlite")
    with ResultsFile(store) as open_store:
        asked = [key.digest for task in wanted for key in task.keys]
        failed = set() if retry_failed else open_store.failed(asked)
        left = unfinished(wanted, open_store.finished(asked) | failed)
        ending = run_job(
            job, left, open_store, execution, console, failed_before=len(failed),
            nothing=part.nothing(every),
        )  # fmt: skip
        print_summary(open_store.scores(asked), names, console, show)
        if export is not None:
            open_store.export(export)
            console.print(f"Exported to {export}.", soft_wrap=True)
    console.print(f"Scores are in {store}.{part.joined(whole)}", soft_wrap=True)
    ending.report(console, store)


def _bytes(memory_gb: float) -> int:
    if not memory_gb <= MOST_MEMORY:  # so that nan is refused too
        raise InputError(f"--memory-gb is at most {MOST_MEMORY:,}; got {memory_gb}")
    return int(memory_gb * 2**30)


def refuse_unread(context: typer.Context, init: str, network: Sequence[str]) -> None:
    """Raise ToolkitError for options of networks that are not the ones asked for."""
    if network:
        refuse_given(context, "--network brings networks of its own", "init", "hp")
    if network or not init.startswith("random"):
        refuse_given(context, "only random networks are built here", "channels", "cells")
    if init != "pretrained":
        refuse_given(context, "it is of --init pretrained --archive PATH", "hp")


def batch_norm_mode(source: "Source", networks: list[str], seed: int | None, asked: str) -> str:
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
    from proxies.preparation import resolve
    from testbed.sources import OwnSource

    if isinstance(source, OwnSource):
        modes = dict(zip(source.names, source.answers, strict=True))
    else:  # the networks of a folder or an archive are all alike
        modes = {networks[0]: resolve(source.build(networks[0], seed), asked)}
    if len(set(modes.values())) > 1:
        raise InputError(
            "the batch norms of some networks are fresh, of others not: score them apart, or name "
            f"a --batch-norm; auto would be {', '.join(f'{m} for {n}' for n, m in modes.items())}"
        )
    return modes[networks[0]]


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
