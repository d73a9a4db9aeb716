"""The command ``python -m testbed.train``: train networks, resumably."""

from pathlib import Path
from typing import Annotated

import typer

from testbed.basis.terminal import plain_console
from testbed.command.console import check_device, check_limit, whole_numbers
from testbed.command.engines import Workforce
from testbed.command.inputs import load_images
from testbed.command.options import (
    ARCHS_HELP,
    CELLS_HELP,
    CHANNELS_HELP,
    DataRoot,
    Device,
    Download,
    EngineOption,
    Factory,
    ImageSetName,
    NetworkList,
    OwnNetworks,
    RetryFailed,
    Show,
    Space,
    Threads,
    TimeLimit,
    Workers,
)
from testbed.command.outputs import check_folder
from testbed.command.shards import Shard
from testbed.command.shell import Command, application, refuse_given
from testbed.sources.own_name import own_names
from testbed.train.attack_options import attack_notes, with_attack
from testbed.train.recipe import override, preset_named

__all__ = ["main"]

app = application()
FolderShard = Annotated[
    str | None,
    typer.Option(
        "--shard",
        help="K/N: only every N-th network from the K-th on, into a folder of its own beside "
        "--out; `store merge` joins them.",
        show_default=False,
    ),
]


@app.command(cls=Command)
def train(
    context: typer.Context,
    preset: Annotated[
        str,
        typer.Option(
            help="tiny (for digits), tiny-fgsm or tiny-pgd (the same, adversarially), small "
            "(CIFAR-10 in minutes) or paper."
        ),
    ] = "tiny",
    image_set: ImageSetName = "digits",
    data_root: DataRoot = None,
    download: Download = False,
    archs: Annotated[
        str | None,
        typer.Option(help=f"{ARCHS_HELP}; sample:24 if not given", show_default=False),
    ] = None,
    space: Space = None,
    network: OwnNetworks = None,
    networks_file: NetworkList = None,
    factory: Factory = None,
    seeds: Annotated[str, typer.Option(help="Of weights and training: 0,1,2 or 0-9.")] = "0",
    epochs: Annotated[
        int | None,
        typer.Option(help="Instead of the preset's; so with the next ones.", show_default=False),
    ] = None,
    channels: Annotated[int | None, typer.Option(help=CHANNELS_HELP, show_default=False)] = None,
    cells: Annotated[int | None, typer.Option(help=CELLS_HELP, show_default=False)] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Images in a step.", show_default=False)
    ] = None,
    lr: Annotated[
        float | None,
        typer.Option(
            help="Learning rate of the first epoch; a cosine takes it to 0.", show_default=False
        ),
    ] = None,
    momentum: Annotated[float | None, typer.Option(help="Of SGD.", show_default=False)] = None,
    nesterov: Annotated[
        bool | None,
        typer.Option("--nesterov/--no-nesterov", help="Nesterov's momentum.", show_default=False),
    ] = None,
    weight_decay: Annotated[
        float | None, typer.Option(help="On all parameters.", show_default=False)
    ] = None,
    flip: Annotated[
        float | None, typer.Option(help="Probability of a mirrored image.", show_default=False)
    ] = None,
    padding: Annotated[
        int | None,
        typer.Option(help="Pixels around an image before a random crop.", show_default=False),
    ] = None,
    adversarial: Annotated[
        str | None,
        typer.Option(
            help="Train on attacked images: pgd (10 steps of ε/4) or fgsm (one of 1.25 ε), from a "
            "random start; none for clean ones.",
            show_default=False,
        ),
    ] = None,
    epsilon: Annotated[
        str | None,
        typer.Option(
            help="Of the training's attack, in units of 1/255 (8, 8/255); 8 if not given.",
            show_default=False,
        ),
    ] = None,
    attack_steps: Annotated[
        int | None, typer.Option(help="Of the training's PGD.", show_default=False)
    ] = None,
    attack_step_size: Annotated[
        str | None,
        typer.Option(help="Of the training's attack, in units of 1/255.", show_default=False),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder, of one recipe and image set.")] = Path(
        "checkpoints"
    ),
    device: Device = "cpu",
    workers: Workers = None,
    threads: Threads = 1,
    engine: EngineOption = None,
    time_limit: TimeLimit = None,
    retry_failed: RetryFailed = False,
    shard: FolderShard = None,
    show: Show = 30,
) -> None:
    """Train networks of any space, or your own, as NAS-Bench-201 did, shortened, or adversarially.

    A network that the folder holds is not trained again, and one that was interrupted goes on
    from its last epoch, to the same weights: run the same command again.
    """
    limit = check_limit(time_limit)
    console = plain_console()
    force = Workforce.parse(engine, workers)
    recipe = with_attack(preset_named(preset), adversarial, epsilon, attack_steps, attack_step_size)
    recipe = override(
        recipe, epochs=epochs, channels=channels, cells=cells,
        batch_size=batch_size, lr=lr, momentum=momentum, nesterov=nesterov,
        weight_decay=weight_decay, flip=flip, padding=padding,
    )  # fmt: skip
    seed_list = whole_numbers(seeds, "seeds")
    part, whole = Shard.parse(shard), out
    out = check_folder(part.beside(whole))
    every, maker = own_names(network, networks_file, factory)
    if every:
        why = "--network names the networks"
        refuse_given(context, why, "archs", "space", "channels", "cells")

    from testbed.command.job import Execution, run_job
    from testbed.train.chosen import own_networks, space_networks
    from testbed.train.failures import has_failed
    from testbed.train.folder import claim, watch
    from testbed.train.job import TrainingJob, is_finished
    from testbed.train.summary import print_summary

    for note in attack_notes(recipe):
        console.print(note, soft_wrap=True)
    loaded = load_images(image_set, data_root, download=download)
    if every:
        apart = force.apart(device, threads, limit)
        own, chosen = own_networks(every, maker, seed_list[0], loaded, apart), None
    else:
        given = {n: v for n, v in (("channels", channels), ("cells", cells)) if v is not None}
        chosen, every, said = space_networks(
            "sample:24" if archs is None else archs, space, recipe, given, loaded
        )
        own = None
        if said:
            console.print(said, soft_wrap=True)
    networks = part.take(every)
    job = TrainingJob(recipe, image_set, data_root, out, check_device(device), chosen, own)
    tasks = job.tasks(networks, seed_list)
    with claim(out, job.settings()):
        untrained = [task for task in tasks if not is_finished(task.path(out))]
        left = [task for task in untrained if retry_failed or not has_failed(task.path(out))]
        count = min(force.count(device), len(left))
        execution = Execution(
            "testbed.train", count, threads, device, engine=force.engine, limit=limit
        )
        bar = watch(out, left, recipe.epochs, console)
        ending = run_job(
            job, left, out, execution, console, bar, len(untrained) - len(left),
            part.nothing(every),
        )  # fmt: skip
    print_summary(out, tasks, console, show)
    console.print(f"Trained networks are in {out}.{part.joined(whole)}", soft_wrap=True)
    ending.report(console, out)


def main() -> None:
    """Run the command."""
    app()
