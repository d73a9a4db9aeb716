"""The table at the end of a training run."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table
from rich.text import Text

from testbed.command.numbers import decimal, percent
from testbed.spaces.registry import short_name
from testbed.train.checkpoints import Checkpoint, settings_of
from testbed.train.job import Task, is_finished

__all__ = ["print_summary"]


def print_summary(folder: Path, tasks: Sequence[Task], console: Console, show: int) -> None:
    """Print a line for each of the first ``show`` networks, and the range of the accuracies."""
    finished = [task for task in tasks if is_finished(task.path(folder))]
    found = [
        Checkpoint.from_settings(settings_of(folder, task.network, task.seed)) for task in finished
    ]
    if not found:
        return
    if show:
        console.print(_table(found[:show]))
    if len(found) > show:
        console.print(f"{show} of {len(found)} networks are shown.")
    accuracies = [checkpoint.test["accuracy"] for checkpoint in found]
    console.print(
        f"Test accuracy of {len(found)} networks on {found[0].test['count']} images: "
        f"{percent(min(accuracies), 1)} % to {percent(max(accuracies), 1)} %, median "
        f"{percent(median(accuracies), 1)} %."
    )


def _table(checkpoints: Sequence[Checkpoint]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("id", "seed", "train %", "test %", "seconds"):
        table.add_column(heading, justify="right")
    for checkpoint in checkpoints:
        table.add_row(
            Text(short_name(checkpoint.genotype)),
            str(checkpoint.seed),
            percent(checkpoint.history[-1]["accuracy"], 1),
            percent(checkpoint.test["accuracy"], 1),
            decimal(checkpoint.provenance["seconds"], 1),
        )
    return table
