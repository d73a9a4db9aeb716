"""The cost per network of the whole ``compute`` command over its proxies' arithmetic.

One run measures both: the CPU time of the command's loop (building networks, scoring,
saving, the progress bar), and the part of it spent inside the proxies on a network that
lies ready (calibration, folding, Jacobian, spectrum). Start-up is not charged.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from typer.testing import CliRunner

from benchmarks.harness import CONSOLE
from proxies import compute, job
from testbed.command import job as running

PROXIES = "params,flops,jacobian_norm,hessian_input"
NETWORKS, ROUNDS = 12, 3
BATCH = 256  # of 8 × 8 pixels: as many as 16 images of CIFAR-10


class Stopwatch:
    """A function that adds up its CPU seconds."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.seconds = function, 0.0

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Call the function."""
        start = time.process_time()
        result = self.function(*arguments, **options)
        self.seconds += time.process_time() - start
        return result


def measure(seed: int) -> float:
    """Return the ratio in one run of the command, in this process."""
    whole, arithmetic = Stopwatch(running.run_job), Stopwatch(job.evaluate)
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(running, "run_job", whole),
        mock.patch.object(job, "evaluate", arithmetic),
    ):
        options = ["--archs", f"sample:{NETWORKS}:{seed}", "--batch-size", str(BATCH)]
        options += ["--proxies", PROXIES, "--workers", "1"]
        options += ["--store", str(Path(folder) / "scores.sqlite")]
        result = CliRunner().invoke(compute.app, options)
    if result.exit_code:
        raise RuntimeError(result.output)
    return whole.seconds / arithmetic.seconds


def main() -> None:
    """Measure and print."""
    measure(0)
    ratios = [measure(seed) for seed in range(1, ROUNDS + 1)]
    CONSOLE.print(
        f"Command over arithmetic, CPU time (digits, batch {BATCH}, C=16, N=5, {PROXIES}): "
        f"median {statistics.median(ratios):.3f} of {[round(ratio, 3) for ratio in ratios]}\n"
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
