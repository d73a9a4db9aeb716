"""The commands and engines that `scripts.kill` kills, and the clusters that they run on."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import stand_in_slurm

__all__ = ["CASES", "ENGINES", "ROOT", "Case", "cluster", "environment"]

ROOT = Path(__file__).resolve().parents[1]
LIMITED = "time limit"  # processes that can be ended, each with one task
ENGINES = ("serial", "processes", LIMITED, "dask", "dask://", "slurm")
NETWORKS = ("--archs", "sample:5", "--channels", "8", "--cells", "1")

SCHEDULER = """
from distributed import LocalCluster
import sys
if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


@dataclass(frozen=True)
class Case:
    """A command line that writes into its current folder.

    Attributes:
        name: of the case.
        words: of the command; ``{made}`` is the folder of the undisturbed runs, by case.
        engines: that it is tried with; of a command without ``--engine`` there is but one.
    """

    name: str
    words: tuple[str, ...]
    engines: tuple[str, ...] = ("serial",)

    def command(self, made: Path, more: tuple[str, ...]) -> list[str]:
        """Return the whole command line."""
        return [sys.executable, "-m", *(word.format(made=made) for word in self.words), *more]


# In this order: what comes later reads what the earlier ones made.
CASES = (
    Case("train", ("testbed.train", *NETWORKS, "--epochs", "1", "--out", "weights"), ENGINES),
    Case(
        "compute",
        ("proxies.compute", *NETWORKS, "--seeds", "0-1", "--show", "0", "--store", "a.sqlite"),
        ENGINES,
    ),
    Case(
        "attack",
        (
            "evaluation.robustness", "--weights", "{made}/train/weights", "--attacks",
            "fgsm,pgd,square", "--count", "30", "--epsilons", "8", "--set", "square.queries=30",
            "--store", "a.sqlite",
        ),
        ENGINES,
    ),
    Case(
        "search",
        (
            "evaluation.search", "--truth", "{made}/attack/a.sqlite", "--images", "digits",
            "--objective", "fgsm@8", "--queries", "4", "--runs", "8", "--algorithm",
            "random,evolution", "--out", "found",
        ),
        ("serial", "processes"),
    ),
    Case(
        "search live",
        (
            "evaluation.search", "--live", "--out", "found", "--queries", "3", "--algorithm",
            "random", "--epochs", "1", "--channels", "8", "--cells", "1", "--count", "20",
            "--objective", "fgsm@8",
        ),
        ("serial", LIMITED),
    ),
    Case(
        "corrupt",
        ("testbed.corruptions", "--corruptions", "fog,snow,glass_blur", "--out", "corrupted"),
    ),
    Case(
        "correlate",
        (
            "evaluation.correlate", "--truth", "{made}/attack/a.sqlite", "--scores",
            "{made}/compute/a.sqlite", "--images", "digits", "--out", "tau.csv",
        ),
    ),
    Case(
        "report",
        (
            "evaluation.report", "--truth", "{made}/attack/a.sqlite", "--scores",
            "{made}/compute/a.sqlite", "--images", "digits", "--out", "page",
        ),
    ),
)  # fmt: skip


def environment(mark: str) -> dict[str, str]:
    """Return the environment of processes that can be told by a mark, all their children's too."""
    return {
        **os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "KILL_TRIAL": mark,
    }  # fmt: skip


@contextmanager
def cluster(
    case: Case, engine: str, folder: Path, mark: str
) -> Iterator[tuple[tuple[str, ...], dict[str, str]]]:
    """Give the words that choose an engine, and the environment that it takes.

    Args:
        case: that is run.
        engine: one of ``ENGINES``.
        folder: for the files of a cluster.
        mark: of its processes.
    """
    env = environment(mark)
    if len(case.engines) == 1:
        yield (), env
    elif engine == LIMITED:
        yield ("--time-limit", "300"), env
    elif engine == "slurm":
        place = stand_in_slurm.install(folder / "slurm")
        asked = {"folder": folder / "jobs", "jobs": 2, "tasks": 2, "minutes": 5}
        (folder / "slurm.yaml").write_text("".join(f"{k}: {v}\n" for k, v in asked.items()))
        path = f"{place}{os.pathsep}{env['PATH']}"
        yield ("--engine", f"slurm:{folder / 'slurm.yaml'}"), {**env, "PATH": path}
    elif engine == "dask://":
        with _scheduler(env) as address:
            yield ("--engine", f"dask://{address.removeprefix('tcp://')}"), env
    else:
        more = () if engine == "serial" else ("--workers", "2")
        yield ("--engine", engine, *more), env


@contextmanager
def _scheduler(env: dict[str, str]) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", SCHEDULER], text=True, env=env, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.communicate("")
