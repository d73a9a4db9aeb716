"""The command ``python -m proxies.compute``: score networks, resumably."""

import sys
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from proxies.registry import PROXIES, get
from proxies.study import Study, Task, unfinished
from proxies.summary import print_summary
from testbed import engine, images
from testbed.console import (
    check_device,
    default_workers,
    fail,
    progress,
    split_words,
    whole_numbers,
)
from testbed.nasbench201.selection import SELECTION_HELP, select
from testbed.nasbench201.weights import INITIALISATIONS
from testbed.provenance import provenance
from testbed.store import EXPORTS, Store, StoreError

__all__ = ["main"]

app = typer.Typer(add_completion=False, rich_markup_mode=None)
DEFAULT_PROXIES = "params,flops,jacobian_norm,hessian_input"
DTYPES = ("float32", "float64")
INTERRUPTED = 130


@app.command(
    epilog="Proxies: " + "; ".join(f"{spec.name}: {spec.summary}" for spec in PROXIES.values())
)
def compute(
    init: Annotated[str, typer.Option(help=", ".join(INITIALISATIONS))] = "random",
    image_set: Annotated[str, typer.Option("--images", help=", ".join(images.NAMES))] = "digits",
    data_root: Annotated[
        Path | None, typer.Option(help="Folder of the image set.", show_default=False)
    ] = None,
    download: Annotated[
        bool, typer.Option("--download", help="Download the image set if it is not there.")
    ] = False,
    archs: Annotated[str, typer.Option(help=SELECTION_HELP)] = "sample:24",
    proxies: Annotated[str, typer.Option(help="Names, or all.")] = DEFAULT_PROXIES,
    seeds: Annotated[str, typer.Option(help="Of the initialisation: 0,1,2 or 0-9.")] = "0",
    batch_size: Annotated[int, typer.Option(help="Images in the batch.", min=1)] = 16,
    batch_seed: Annotated[int, typer.Option(help="Which images.", min=0)] = 0,
    batch_norm: Annotated[
        str, typer.Option(help="calibrated: statistics of the batch; batch: train mode.")
    ] = "calibrated",
    channels: Annotated[int, typer.Option(help="C, width of the first stage.", min=1)] = 16,
    cells: Annotated[int, typer.Option(help="N, cells in a stage.", min=1)] = 5,
    dtype: Annotated[str, typer.Option(help=" or ".join(DTYPES))] = "float32",
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, …")] = "cpu",
    workers: Annotated[
        int | None, typer.Option(help="Processes; all cores if not given.", min=1)
    ] = None,
    threads: Annotated[int, typer.Option(help="Of each process.", min=1)] = 1,
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
    if init not in INITIALISATIONS:
        fail(f"unknown --init {init!r}; expected one of {', '.join(INITIALISATIONS)}")
    if dtype not in DTYPES:
        fail(f"unknown --dtype {dtype!r}; expected {' or '.join(DTYPES)}")
    if export is not None and export.suffix not in EXPORTS:
        fail(f"--export ends in {' or '.join(EXPORTS)}; got {export}")
    console = Console()
    try:
        names = list(PROXIES) if proxies == "all" else split_words(proxies)
        check_proxies(names, batch_norm)
        networks, seed_list = select(archs), whole_numbers(seeds, "seeds")
        loaded = images.load(image_set, data_root, download=download)
        study = Study.of(
            loaded, loaded.batch(batch_size, batch_seed), batch_seed, init=init,
            channels=channels, cells=cells, batch_norm=batch_norm, dtype=dtype,
            device=check_device(device), memory=int(memory_gb * 2**30),
        )  # fmt: skip
        plan = Plan(workers or default_workers(device), threads, study.common | {"archs": archs})
        wanted = study.tasks(networks, seed_list, names)
        with Store(store) as open_store:
            left = unfinished(wanted, open_store.finished())
            outcome = work(study, left, open_store, plan, console)
            print_summary(open_store.scores(), wanted, names, console, show)
            if export is not None:
                open_store.export(export)
                console.print(f"Exported to {export}.")
    except (ValueError, OSError, StoreError, engine.EngineError) as error:
        fail(error)
    console.print(f"Scores are in {store}.")
    outcome.report(console, store)


@dataclass
class Plan:
    """How to run, and what to record of it."""

    workers: int
    threads: int
    settings: dict


@dataclass
class Work:
    """How a run ended."""

    failed: list[tuple[str, str]] = field(default_factory=list)
    left: int = 0
    interrupted: bool = False

    def report(self, console: Console, store: Path) -> None:
        """Say what is missing and how to get it; end with the fitting exit code."""
        for network, error in self.failed[:5]:
            typer.echo(f"failed: {network}: {error}", err=True)
        if self.failed:
            fail(f"{len(self.failed)} networks failed; the others are in {store}", 1)
        if self.interrupted:
            console.print(
                f"Interrupted with {self.left} tasks left: run the same command to go on."
            )
            raise typer.Exit(INTERRUPTED)


def check_proxies(names: list[str], batch_norm: str) -> None:
    """Raise ValueError for an unknown proxy, or one that the mode does not allow."""
    if not names:
        raise ValueError(f"no proxy was named; known are {', '.join(PROXIES)}")
    if batch_norm not in ("calibrated", "batch"):
        raise ValueError(
            f"--batch-norm is calibrated or batch for a random network; got {batch_norm!r} "
            "(the running statistics of a fresh network are no normalisation at all)"
        )
    for spec in map(get, names):
        spec.check_mode(batch_norm)


def work(study: Study, tasks: list[Task], store: Store, plan: Plan, console: Console) -> Work:
    """Compute the tasks and save each as it finishes; an interrupt keeps what is finished."""
    result = Work(left=len(tasks))
    if not tasks:
        console.print("Every score is in the store already.")
        return result
    command = ["python", "-m", "proxies.compute", *sys.argv[1:]]
    run = store.begin_run(
        provenance(command, study.device, study.dtype, plan.threads, plan.settings)
    )
    status = "failed"
    try:
        with (
            progress(console) as bar,
            closing(
                engine.run(study, tasks, workers=plan.workers, threads=plan.threads)
            ) as outcomes,
        ):
            count = bar.add_task("scoring", total=len(tasks))
            for position, outcome in outcomes:
                if outcome.value is None:
                    result.failed.append((tasks[position].network, str(outcome.error)))
                else:
                    store.save(run, outcome.value)
                result.left -= 1
                bar.advance(count)
        status = "failed" if result.failed else "done"
    except KeyboardInterrupt:
        result.interrupted, status = True, "interrupted"
    finally:
        store.finish_run(run, status)
    return result


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
