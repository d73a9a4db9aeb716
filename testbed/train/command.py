"""The command ``python -m testbed.train``: train networks, resumably."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from testbed.command.console import check_device, default_workers, whole_numbers
from testbed.command.inputs import load_images
from testbed.command.options import (
    ARCHS_HELP,
    DataRoot,
    Device,
    Download,
    ImageSetName,
    Show,
    Threads,
    Workers,
)
from testbed.command.shell import Command, application
from testbed.spaces.nasbench201.recipe import override, preset_named

if TYPE_CHECKING:
    from testbed.command.resumable import Work
    from testbed.train.job import Task, TrainingJob

__all__ = ["main"]

app = application()


@app.command(cls=Command)
def train(
    preset: Annotated[
        str, typer.Option(help="tiny (for digits), small (CIFAR-10 in minutes) or paper.")
    ] = "tiny",
    image_set: ImageSetName = "digits",
    data_root: DataRoot = None,
    download: Download = False,
    archs: Annotated[str, typer.Option(help=ARCHS_HELP)] = "sample:24",
    seeds: Annotated[str, typer.Option(help="Of weights and training: 0,1,2 or 0-9.")] = "0",
    epochs: Annotated[
        int | None,
        typer.Option(help="Instead of the preset's; so with the next ones.", show_default=False),
    ] = None,
    channels: Annotated[
        int | None, typer.Option(help="C, width of the first stage.", show_default=False)
    ] = None,
    cells: Annotated[
        int | None, typer.Option(help="N, cells in a stage.", show_default=False)
    ] = None,
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
    out: Annotated[Path, typer.Option(help="Folder, of one recipe and image set.")] = Path(
        "checkpoints"
    ),
    device: Device = "cpu",
    workers: Workers = None,
    threads: Threads = 1,
    show: Show = 30,
) -> None:
    """Train networks with the recipe of NAS-Bench-201, or a shortened one.

    A network that the folder holds is not trained again, and one that was interrupted goes on
    from its last epoch, to the same weights: run the same command again.
    """
    console = Console()
    recipe = override(
        preset_named(preset), epochs=epochs, channels=channels, cells=cells,
        batch_size=batch_size, lr=lr, momentum=momentum, nesterov=nesterov,
        weight_decay=weight_decay, flip=flip, padding=padding,
    )  # fmt: skip
    numbers = whole_numbers(seeds, "seeds")

    from testbed.spaces.nasbench201.selection import select
    from testbed.train.folder import claim
    from testbed.train.job import Task, TrainingJob
    from testbed.train.summary import print_summary

    tasks = [Task(str(g), seed) for g in select(archs) for seed in numbers]
    load_images(image_set, data_root, download=download)
    job = TrainingJob(recipe, image_set, data_root, out, check_device(device))
    with claim(out, job.settings()):
        result = work(job, tasks, workers or default_workers(device), threads, console)
    print_summary(out, tasks, console, show)
    console.print(f"Trained networks are in {out}.")
    result.report(console, out)


def work(
    job: "TrainingJob", tasks: "list[Task]", workers: int, threads: int, console: Console
) -> "Work":
    """Train what is not finished; an interrupt keeps every finished epoch."""
    from testbed import engine
    from testbed.command.resumable import Work
    from testbed.train.folder import watch
    from testbed.train.job import is_finished

    left = [task for task in tasks if not is_finished(task.path(job.folder))]
    result = Work(len(left), "networks")
    if not left:
        console.print("Every network is trained already.")
        return result
    workers = min(workers, len(left))
    try:
        with (
            watch(job.folder, left, job.recipe.epochs, console),
            closing(engine.run(job, left, workers=workers, threads=threads)) as outcomes,
        ):
            for position, outcome in outcomes:
                if outcome.error is not None:
                    task = left[position]
                    result.failed.append((f"{task.network}, seed {task.seed}", outcome.error))
                result.left -= 1
    except KeyboardInterrupt:
        result.interrupted = True
    return result


def main() -> None:
    """Run the command."""
    app()
