"""Twenty thousand tiny networks in one command: whether memory is flat, what a network costs.

``python -m benchmarks.soak [--networks 20000] [--engine processes] [--proxies params]``.
The networks are one linear layer of a user's own, so that nearly all of the time is the toolkit's:
building, scoring, sending, saving. The memory of the driver and of all its workers is looked at
every second from the first results in the file on: before that the command lists what there is to
do, some hundred bytes a score. The run is flat if no sample of the second half is more than 5 %
above the median of the second quarter, when all there is to import has been imported.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

__all__ = ["main", "resident"]

ROOT = Path(__file__).resolve().parents[1]
BETWEEN = 1.0  # seconds
FLAT = 1.05
BEGUN = 2  # times the size of a file without results: a part of them is saved
PAGE = os.sysconf("SC_PAGE_SIZE") / 2**20 if hasattr(os, "sysconf") else 1 / 256
TINY = """
from torch import nn


def build(name):
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    nn.init.constant_(network[1].weight, 0.1)
    nn.init.zeros_(network[1].bias)
    return network
"""


def family(driver: int) -> list[int]:
    """Return a process and its descendants that are there."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            parents.setdefault(parent, []).append(int(entry.name))
    found = [driver]
    for process in found:
        found += parents.get(process, [])
    return found


def resident(processes: Sequence[int]) -> list[float]:
    """Return the MiB that each process holds; those that have ended hold none."""
    sizes = []
    for process in processes:
        try:
            sizes.append(int(Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE)
        except OSError:
            continue
    return sizes


def watch(
    process: subprocess.Popen[str], file: Path
) -> tuple[list[tuple[float, float, float]], float]:
    """Return (second, MiB of the driver, MiB of its workers) while results come, and CPU seconds.

    Args:
        process: the driver.
        file: of the results.
    """
    samples, begun, empty = [], time.monotonic(), 0
    while True:
        found, status, usage = os.wait4(process.pid, os.WNOHANG)
        if found:
            process.returncode = os.waitstatus_to_exitcode(status)
            return samples, usage.ru_utime + usage.ru_stime
        size = file.stat().st_size if file.exists() else 0
        empty = empty or size
        if size > BEGUN * empty:
            driver, *others = resident(family(process.pid)) or [0.0]
            samples.append((time.monotonic() - begun, driver, sum(others)))
        time.sleep(BETWEEN)


def run(count: int, words: Sequence[str]) -> tuple[list[tuple[float, float, float]], float]:
    """Score so many networks; return what `watch` does.

    Raises:
        RuntimeError: if the command fails.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tiny.py").write_text(TINY)
        (folder / "names.txt").write_text("".join(f"net{place:05}\n" for place in range(count)))
        path = os.pathsep.join((str(ROOT), name))
        process = subprocess.Popen(
            [
                sys.executable, "-m", "proxies.compute", "--networks", "names.txt", "--factory",
                "tiny:build", "--batch-size", "8", "--show", "0", "--store", "a.sqlite", *words,
            ],
            cwd=folder, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        samples, seconds = watch(process, folder / "a.sqlite")
        if process.returncode:
            raise RuntimeError(f"the command ended with {process.returncode}")
        return samples, seconds


def growth(samples: Sequence[tuple[float, float, float]], column: int) -> float:
    """Return the largest memory of the second half over the median of the second quarter.

    The last tenth is left out: the table at the end reads all scores that were asked for.
    """
    sizes = [sample[column] for sample in samples]
    quarter, half, end = len(sizes) // 4, len(sizes) // 2, -max(1, len(sizes) // 10)
    settled = statistics.median(sizes[quarter:half])
    return max(sizes[half:end]) / settled if settled else 1.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, and return 1 if memory grew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=20_000)
    parser.add_argument("--engine", default="serial")
    parser.add_argument("--proxies", default="params")
    options = parser.parse_args(arguments)
    words = ["--engine", options.engine, "--proxies", options.proxies]
    words += ["--workers", "2"] if options.engine in ("processes", "dask") else []
    _, idle = run(1, words)
    samples, seconds = run(options.networks, words)
    for second, driver, others in samples[:: max(1, len(samples) // 12)]:
        print(f"{second:6.0f} s  driver {driver:5.0f} MiB  workers {others:5.0f} MiB", flush=True)
    each = 1000 * (seconds - idle) / (options.networks - 1)
    grown = [growth(samples, column) for column in (1, 2)]
    print(
        f"{options.networks:,} networks, {options.engine}, {options.proxies}: {each:.2f} ms of CPU "
        f"a network beyond the start; memory at most {grown[0]:.3f} (driver) and {grown[1]:.3f} "
        "(workers) of what it was when settled"
    )
    return 1 if max(grown) > FLAT else 0


if __name__ == "__main__":
    sys.exit(main())
