"""The cost per network of the whole ``compute`` command over its proxies' arithmetic.

The command's is marginal: (40 networks − 10 networks) / 30, in a process of its own
with one worker, so that start-up is not charged to a network. The arithmetic is what a
proxy's definition asks for, of a network that lies ready: calibration, folding, the
Jacobian, its spectrum.
"""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.harness import CONSOLE, normalised_network
from proxies.probe import Probe
from proxies.registry import get
from proxies.scoring import evaluate
from testbed import images
from testbed.nasbench201.selection import select

PROXIES, FEW, MANY, ROUNDS = ("params", "flops", "jacobian_norm", "hessian_input"), 10, 40, 3


def command(count: int) -> float:
    """Return the CPU seconds of the command on this many networks."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [
                sys.executable, "-m", "proxies.compute", "--archs", f"sample:{count}",
                "--proxies", ",".join(PROXIES), "--workers", "1", "--images", "digits",
                "--batch-size", "64", "--store", str(Path(folder) / "scores.sqlite"),
            ],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def arithmetic(count: int) -> float:
    """Return the CPU seconds of the proxies alone on the same networks and batch."""
    digits = images.load("digits")
    batch = digits.batch(64, 0)
    networks = [normalised_network(digits, genotype) for genotype in select(f"sample:{count}")]
    start = time.process_time()
    for network in networks:
        probe = Probe(network, batch.images, batch.labels, batch_norm="calibrated")
        for name in PROXIES:
            evaluate(get(name), probe, {})
    return time.process_time() - start


def main() -> None:
    """Measure and print."""
    arithmetic(FEW)
    ratios = []
    for _ in range(ROUNDS):
        whole = command(MANY) - command(FEW)
        alone = arithmetic(MANY) - arithmetic(FEW)
        ratios.append(whole / alone)
    CONSOLE.print(
        f"Command over arithmetic, CPU time per network (digits, batch 64, {', '.join(PROXIES)}): "
        f"median {statistics.median(ratios):.3f} of {[round(ratio, 3) for ratio in ratios]}\n"
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
