"""Interrupt every long command at random moments, and see how it ends.

``python -m scripts.interrupt [--moments 20] [--only compute] [--data FOLDER]`` runs each command
once to learn how long it takes, then as often as asked for each signal: SIGINT and SIGTERM to the
whole process group, as a terminal and a cluster send them, or to the process alone, and SIGHUP. A
command must end with 128 plus the signal's number, or with what it ends with anyway if it was
done; without a traceback; within seconds; with no process left; and its run must not be said to be
running.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed.store import Store

ROOT = Path(__file__).resolve().parents[1]
LONGEST = 15.0  # seconds from the signal to the end
STARTS = 0.3  # seconds in which imports are interrupted by a fourth of the signals
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PACKAGES = ("testbed", "proxies", "evaluation")
NOISE = ("Traceback", "Error", "Exception ignored", "Warning", "leaked")


@dataclass(frozen=True)
class Case:
    """A command line; ``{data}`` and ``{made}`` are folders of data and of what was made before."""

    name: str
    words: tuple[str, ...]


SMALL = ("--archs", "sample:3", "--workers", "2")
TINY = ("--channels", "4", "--cells", "1")
CASES = (
    Case(
        "train",
        ("testbed.train", *SMALL, *TINY, "--epochs", "1", "--out", "weights"),
    ),
    Case(
        "compute",
        ("proxies.compute", *SMALL, *TINY, "--seeds", "0-1", "--store", "a.sqlite"),
    ),
    Case(
        "compute cifar10",
        (
            "proxies.compute", *SMALL, *TINY, "--images", "cifar10", "--data-root", "{data}",
            "--proxies", "params,jacobian_norm", "--store", "a.sqlite",
        ),
    ),
    Case(
        "compute alone",
        (
            "proxies.compute", "--archs", "sample:3", "--workers", "1", *TINY, "--seeds", "0-3",
            "--store", "a.sqlite",
        ),
    ),
    Case(
        "attack",
        (
            "evaluation.robustness", "--weights", "{made}/weights", "--workers", "2", "--count",
            "40", "--epsilons", "8,16", "--set", "square.queries=50", "--store", "a.sqlite",
        ),
    ),
    Case(
        "corrupt",
        ("testbed.corruptions", "--corruptions", "fog,snow,glass_blur", "--out", "corrupted"),
    ),
    Case("correlate", ("evaluation.correlate", "--truth", "{truth}", "--out", "tau.csv")),
    Case("report", ("evaluation.report", "--truth", "{truth}", "--out", "page")),
    Case(
        "search",
        (
            "evaluation.search", "--truth", "{truth}", "--queries", "50", "--runs", "12",
            "--workers", "2", "--algorithm", "random,evolution", "--out", "found",
        ),
    ),
    Case(
        "search live",
        (
            "evaluation.search", "--live", "--out", "found", "--queries", "3", "--algorithm",
            "random", "--epochs", "1", *TINY, "--count", "20", "--objective", "fgsm@8",
        ),
    ),
)  # fmt: skip


def heed() -> None:
    """Let signals end what comes, though this process may ignore them, as under nohup."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def start(case: Case, folder: Path, places: dict[str, str]) -> subprocess.Popen[str]:
    """Start a command in a folder and in a process group of its own."""
    words = [word.format(**places) for word in case.words]
    return subprocess.Popen(
        [sys.executable, "-m", *words], cwd=folder, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=heed,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def left_over(group: int) -> list[str]:
    """Return the processes of a group that are still there, after a while."""
    deadline, found = time.monotonic() + 5, [""]
    while found and time.monotonic() < deadline:
        found = list(_members(group))
        time.sleep(0.05)
    return found


def _members(group: int) -> Iterator[str]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                text = (entry / "stat").read_text()
            except OSError:
                continue
            state, _, number = text.rpartition(")")[2].split()[:3]
            if int(number) == group and state != "Z":
                yield text[:60]


def interrupt(
    case: Case, places: dict[str, str], number: signal.Signals, alone: bool, moment: float
) -> str | None:
    """Interrupt a command once; return what was wrong with its end, None if nothing was."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        process = start(case, folder, places)
        time.sleep(moment)
        (os.kill if alone else os.killpg)(process.pid, number)
        try:
            output, errors = process.communicate(timeout=LONGEST)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, errors = process.communicate()
            return f"hangs: {errors[-500:]}"
        return fault(process, output, errors, number, folder, moment)


def fault(
    process: subprocess.Popen[str], output: str, errors: str, number: int, folder: Path,
    moment: float = STARTS,
) -> str | None:  # fmt: skip
    """Return what is wrong with the end of a process, None if nothing is."""
    if left := left_over(process.pid):
        os.killpg(process.pid, signal.SIGKILL)
        return f"leaves {left}"
    if process.returncode == 128 + number or process.returncode == 0:
        for path in folder.rglob("*.sqlite"):
            with Store(path, "r") as store:
                if "running" in set(store.runs()["status"]):
                    return f"a run of {path.name} is running"
        if stray := list(folder.rglob(".*.tmp*")):
            return f"leaves {stray}"
        noise = [word for word in NOISE if word in errors]
        return f"is not quiet: {errors[-1500:]}" if noise else None
    if process.returncode == -number and not errors:
        # Of SIGINT a process dies so before the interpreter has made an exception of it.
        return None if number != signal.SIGINT or moment < STARTS else "died of it"
    if number == signal.SIGINT and not any(f"{ROOT / name}/" in errors for name in PACKAGES):
        return None  # the interpreter had not come to a line of ours
    return f"exit code {process.returncode}: {errors[-1500:]}"


def make(places: dict[str, str]) -> None:
    """Train the networks that are attacked."""
    case = Case("", ("testbed.train", *SMALL, *TINY, "--epochs", "1", "--out", "weights"))
    start(case, Path(places["made"]), places).communicate()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all and print a table; return 1 if something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--only", default="", help="names of commands, separated by commas")
    parser.add_argument("--data", default=os.environ.get("TESTBED_DATA", ""))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--signals", default="SIGINT,SIGTERM,SIGHUP", help="names, separated by commas"
    )
    options = parser.parse_args(arguments)
    rng, worst = random.Random(options.seed), 0
    numbers = [signal.Signals[name] for name in options.signals.split(",")]
    # Of this process in the background or under nohup they are ignored, and so in its children.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    with tempfile.TemporaryDirectory() as made:
        places = {
            "data": options.data, "made": made, "truth": f"{options.data}/robustness-data",
        }  # fmt: skip
        make(places)
        for case in CASES:
            wanted = not options.only or case.name in options.only.split(",")
            if wanted and (options.data or not _needs_data(case)):
                worst |= try_case(case, places, numbers, options.moments, rng)
    return worst


def _needs_data(case: Case) -> bool:
    return any("{data}" in word or "{truth}" in word for word in case.words)


def try_case(
    case: Case, places: dict[str, str], numbers: Sequence[signal.Signals], moments: int,
    rng: random.Random,
) -> int:  # fmt: skip
    """Interrupt one command at many moments and print how it ended; return 1 if not well."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.monotonic()
        process = start(case, Path(folder), places)
        _, errors = process.communicate()
        lasts = time.monotonic() - begun
    if process.returncode:
        print(f"{case.name} fails by itself: {errors}", flush=True)
        return 1
    counts: Counter[str] = Counter()
    for number in numbers:
        for turn in range(moments):
            alone = turn % 2 == 1
            moment = rng.uniform(0.03, STARTS) if turn % 4 == 0 else rng.uniform(STARTS, lasts)
            wrong = interrupt(case, places, number, alone, moment)
            counts["wrong" if wrong else "right"] += 1
            if wrong:
                whom = "to the process" if alone else "to the group"
                print(f"  {case.name}, {number.name} {whom} after {moment:.2f} s: {wrong}",
                      flush=True)  # fmt: skip
    print(f"{case.name} ({lasts:.1f} s): {counts['right']} right, {counts['wrong']} wrong",
          flush=True)  # fmt: skip
    return 1 if counts["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
