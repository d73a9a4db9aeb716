"""What a file of results costs as it grows: CPU seconds and peak memory of what is asked of it.

``python -m benchmarks.store_size [ROWS …]``, 10⁴, 10⁵ and 10⁶ scores if no numbers are given. Each
line is a process of its own, start-up and imports included; the first column of times, of an empty
file, is no more than that.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from testbed.store import ScoreKey, ScoreRow, Store

ROWS = (10_000, 100_000, 1_000_000)
SEEDS, PROXIES, AT_ONCE = 5, 20, 10_000
SETTINGS = {
    "batch": "eb7c2a1f03d94c55", "batch_norm": "calibrated", "batch_seed": 0, "batch_size": 64,
    "cells": 5, "channels": 16, "dtype": "float32", "split": "train",
}  # fmt: skip
COMPUTE = (
    "-m", "proxies.compute", "--archs", "0", "--channels", "2", "--cells", "1", "--proxies",
    "params,grad_norm", "--workers", "1", "--store", "{file}",
)  # fmt: skip
SOME = """
from testbed.store import Store
import sqlite3
digests = [one for one, in sqlite3.connect("{file}").execute("SELECT digest FROM scores LIMIT 100")]
with Store("{file}", "r") as store:
    assert len(store.scores(digests)) == len(digests)
"""
STORE = ("-m", "testbed.command", "store")
# What is asked, and whether it is asked of all rows.
ASKED: dict[str, tuple[str, ...]] = {
    "open": ("-c", 'from testbed.store import Store; Store("{file}", "r").close()'),
    "compute one network": COMPUTE,
    "compute it again": COMPUTE,
    "read 100 rows": ("-c", SOME),
    "merge 100 rows into it": (*STORE, "merge", "{few}", "--out", "{file}"),
    "store ls": (*STORE, "ls", "{file}"),
    "store check": (*STORE, "check", "{file}"),
    "read all": ("-c", 'from testbed.store import read_scores; read_scores("{file}")'),
    "merge it into another": (*STORE, "merge", "{file}", "--out", "{folder}/other.sqlite"),
    "export to .parquet": (
        "-c", 'from testbed.store import Store; Store("{file}", "r").export("{folder}/a.parquet")',
    ),
    "export to .csv": (
        "-c", 'from testbed.store import Store; Store("{file}", "r").export("{folder}/a.csv")',
    ),
}  # fmt: skip


def fill(path: Path, count: int, prefix: str = "net") -> None:
    """Write a file of so many scores."""
    with Store(path) as store:
        run = store.begin_run({"command": "made up"})
        rows = _rows(count, prefix)
        while some := list(islice(rows, AT_ONCE)):
            store.save(run, some)


def _rows(count: int, prefix: str) -> Iterator[ScoreRow]:
    for number in range(count):
        rest, proxy = divmod(number, PROXIES)
        network, seed = divmod(rest, SEEDS)
        key = ScoreKey.make(
            f"{prefix}-{network:06}", f"proxy_{proxy}", init="random", seed=seed,
            images="cifar10", settings=SETTINGS,
        )  # fmt: skip
        yield ScoreRow(key, 1 / (number + 1), seconds=0.1, details={"rank": number})


def cost(words: Sequence[str]) -> tuple[float, float]:
    """Return the CPU seconds of a Python process, and its peak memory in MiB."""
    process = subprocess.Popen(
        [sys.executable, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{words} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def measure(count: int) -> dict[str, tuple[float, float]]:
    """Return what each thing costs that is asked of a file of so many rows."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        places = {"file": f"{name}/all.sqlite", "few": f"{name}/few.sqlite", "folder": name}
        fill(Path(places["file"]), count)
        fill(Path(places["few"]), 100, "few")
        size = (folder / "all.sqlite").stat().st_size / 2**20
        found = {"size of the file": (0.0, size)}
        for asked, words in ASKED.items():
            found[asked] = cost([word.format(**places) for word in words])
            print(f"{count:,} rows, {asked}: {found[asked]}", file=sys.stderr, flush=True)
        return found


def table(found: Mapping[int, Mapping[str, tuple[float, float]]]) -> str:
    """Return the costs as a table in Markdown."""
    heads = [f"{count:,} rows" if count else "empty" for count in found]
    lines = [f"| | {' | '.join(heads)} |", f"| --- |{' ---: |' * len(heads)}"]
    for asked in ("size of the file", *ASKED):
        cells = []
        for costs in found.values():
            seconds, memory = costs[asked]
            timed = asked in ASKED
            cells.append(f"{seconds:.1f} s, {memory:,.0f} MiB" if timed else f"{memory:,.1f} MiB")
        lines.append(f"| {asked} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(numbers: Sequence[str] = ()) -> None:
    """Measure and print."""
    counts = (0, *map(int, numbers)) if numbers else (0, *ROWS)
    print(table({count: measure(count) for count in counts}))


if __name__ == "__main__":
    main(sys.argv[1:])
