"""Interleaved timing: A B A B, medians, ratios."""

import statistics
import time
from collections.abc import Callable, Mapping

import torch
from rich.table import Table

from testbed import images
from testbed.basis.terminal import plain_console
from testbed.engine.memory import keep_freed_memory
from testbed.networks.normalise import normalised
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.nasbench201.weights import random_network

__all__ = [
    "CONSOLE",
    "architecture",
    "as_loaded",
    "cifar_like",
    "interleave",
    "print_ratios",
]

CONSOLE = plain_console(width=100)


def interleave(
    cases: Mapping[str, Callable[[], object]], rounds: int, warm: bool = True
) -> dict[str, list[float]]:
    """Return the CPU seconds of each case in each round, after one round of warming up.

    Runs of many minutes need no warming up.

    CPU time of this process: single-threaded work that another process delays is not
    charged with the delay.
    """
    keep_freed_memory()  # as every command does
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for turn in range(rounds + warm):
        for name, run in cases.items():
            start = time.process_time()
            run()
            if turn >= warm:
                seconds[name].append(time.process_time() - start)
    return seconds


def print_ratios(title: str, seconds: Mapping[str, list[float]], subject: str) -> None:
    """Print each case's median, and the subject's time as a fraction of it."""
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    CONSOLE.print(title, style="bold")
    table = Table(box=None, pad_edge=False)
    table.add_column("case")
    table.add_column("median CPU s", justify="right")
    table.add_column(f"{subject} / case", justify="right")
    for name, median in medians.items():
        table.add_row(name, f"{median:.3f}", f"{medians[subject] / median:.2f}")
    CONSOLE.print(table)


def architecture(index: int, seed: int = 0, channels: int = 16, cells: int = 5) -> torch.nn.Module:
    """Return a real network of C channels and N cells, behind CIFAR-10's normalisation."""
    network = random_network(Genotype.from_index(index), seed, channels=channels, cells=cells)
    return normalised(network, (0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616))


def as_loaded(network: torch.nn.Module) -> torch.nn.Module:
    """Return the network in the memory layout that PyTorch gives it, for plain code."""
    return network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]


def cifar_like(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return digits enlarged to 3 × 32 × 32: real images without a download."""
    batch = images.load("digits").batch(size, 0)
    enlarged = torch.nn.functional.interpolate(batch.images, size=32, mode="bilinear")
    return enlarged.expand(-1, 3, -1, -1).contiguous(), batch.labels
