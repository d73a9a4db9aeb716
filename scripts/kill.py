"""Kill every long command with SIGKILL at random moments, and see that nothing is lost.

``python -m scripts.kill [--kills 50] [--only compute,train] [--engines dask]`` runs each command
once undisturbed, in one process. Then it starts the commands with each engine, kills the driver or
a worker at a random moment, starts them again until they are done, and compares: no finished row
is lost or there twice, the files of results are intact, all that was made is bit-identical to the
undisturbed run, times aside, and no process is left behind.
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
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from scripts.kill_cases import CASES, Case, cluster, environment
from scripts.kill_checks import faults_of_end, faults_of_stores, kept, made

LONGEST = 600.0  # seconds of a run, on a machine that has other things to do
LASTS = 20.0  # of one, before any was measured
GONE = 30.0  # seconds in which what a killed driver leaves ends by itself
WORKERS = ("spawn_main", "submitit.core._submit")
NUMBERS = count()


@dataclass
class Trial:
    """A command that is killed, perhaps twice, and run until it is done.

    Attributes:
        case: that is run.
        engine: that it is run with.
        reference: the folder of undisturbed runs.
        rng: of the moments.
        lasts: seconds of an undisturbed run, by case and engine, as far as known; kept up to date.
    """

    case: Case
    engine: str
    reference: Path
    rng: random.Random
    lasts: dict[tuple[str, str], float]
    kills: list[str] = field(default_factory=list)
    moments: list[float] = field(default_factory=list)

    def run(self, whom: str, times: int) -> list[str]:
        """Kill as often as asked for, end it, and return what was wrong."""
        mark = f"{os.getpid()}-{next(NUMBERS)}"
        with tempfile.TemporaryDirectory() as name:
            folder, before, wrong = Path(name) / "results", dict[str, str](), list[str]()
            folder.mkdir()
            with cluster(self.case, self.engine, Path(name), mark) as (words, env):
                others = {*marked(mark)}
                for turn in range(times):
                    wrong += self._life(folder, words, env, whom if turn == 0 else "driver", others)
                    wrong += faults_of_stores(folder)
                    before |= kept(folder)
                wrong += self._life(folder, words, env, None, others)
            wrong += faults_of_end(folder, made(self.reference / self.case.name), before)
            if left := after_a_while(lambda: marked(mark)):
                wrong.append(f"leaves {left}")
                end(left)
        return wrong

    def _life(
        self, folder: Path, words: tuple[str, ...], env: dict[str, str], whom: str | None,
        others: set[int],
    ) -> list[str]:  # fmt: skip
        """Start the command; kill it or a worker of it; return what is wrong with its end."""
        begun = time.monotonic()
        # Not a pipe: what a killed driver leaves would hold it open.
        with tempfile.TemporaryFile("w+") as said:
            process = subprocess.Popen(
                self.case.command(self.reference, words), cwd=folder, env=env, stdout=said,
                stderr=said, start_new_session=True,
            )  # fmt: skip
            victim = None if whom is None else self._kill(process, whom, env["KILL_TRIAL"])
            try:
                code = process.wait(LONGEST)
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait()
            if whom is None or victim is None:
                self.lasts[self.case.name, self.engine] = time.monotonic() - begun
            if victim == process.pid:
                # Jobs of a cluster end when they have done their part; others' workers stay, and
                # one of theirs that died before may have been started anew.
                stay = self.engine in ("slurm", "dask://")
                left = [] if stay else after_a_while(
                    lambda: {*marked(env["KILL_TRIAL"])} - others
                )  # fmt: skip
                return [f"a killed driver leaves {left}"] if left else []
            said.seek(0)
            return [f"exit code {code}: {said.read()[-2000:]}"] if code else []

    def _kill(self, process: subprocess.Popen[bytes], whom: str, mark: str) -> int | None:
        """Kill at a random moment; return the number of the process, None if all was over."""
        lasts = self.lasts.get((self.case.name, self.engine), LASTS)
        moment = self.rng.uniform(0.05, 0.3 if self.rng.random() < 0.15 else lasts)
        deadline = time.monotonic() + moment
        while time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.01)
        while process.poll() is None:
            chosen = [process.pid] if whom == "driver" else sorted(workers(mark))
            if chosen:
                victim = self.rng.choice(chosen)
                try:
                    os.kill(victim, signal.SIGKILL)
                except ProcessLookupError:
                    continue
                self.kills.append(whom)
                self.moments.append(moment)
                return victim
            time.sleep(0.02)
        return None


def marked(mark: str) -> list[int]:
    """Return the processes whose environment has the mark; of zombies it is empty."""
    wanted, found = f"KILL_TRIAL={mark}".encode(), []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def workers(mark: str) -> list[int]:
    """Return the marked processes that compute."""
    return [pid for pid in marked(mark) if any(word in command_of(pid) for word in WORKERS)]


def command_of(pid: int) -> str:
    """Return the words of a process; none if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def after_a_while(processes: Callable[[], Sequence[int] | set[int]]) -> list[int]:
    """Return the processes that are still there when they had time to end."""
    deadline = time.monotonic() + GONE
    while (found := processes()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return sorted(found)


def end(processes: Sequence[int]) -> None:
    """Kill processes that should not be there."""
    for pid in processes:
        print(f"    {pid}: {command_of(pid)}", flush=True)
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def undisturbed(cases: Sequence[Case], reference: Path) -> dict[tuple[str, str], float]:
    """Run each command once, in one process, into a folder of its own; return the seconds.

    What is there already is taken as it is.
    """
    seconds = {}
    for case in cases:
        folder, begun = reference / case.name, time.monotonic()
        if folder.exists():
            continue
        folder.mkdir()
        words = ("--engine", "serial") if len(case.engines) > 1 else ()
        done = subprocess.run(
            case.command(reference, words), cwd=folder, env=environment("none"), text=True,
            capture_output=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"{case.name} fails by itself: {done.stderr}")
        for engine in case.engines:
            seconds[case.name, engine] = time.monotonic() - begun
    return seconds


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill as often as asked for and print a table; return 1 if something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--only", default="", help="names of commands, separated by commas")
    parser.add_argument("--engines", default="", help="names of engines, separated by commas")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--reference", type=Path, help="folder for the undisturbed runs, or of them"
    )
    options = parser.parse_args(arguments)
    rng, counts, wrongs = random.Random(options.seed), Counter[tuple[str, str, str]](), 0
    plan = [
        (case, engine, whom)
        for case in CASES
        for engine in case.engines
        for whom in (("driver",) if engine == "serial" else ("driver", "worker"))
        if not options.only or case.name in options.only.split(",")
        if not options.engines or engine in options.engines.split(",")
    ]
    if not plan:
        engines = sorted({engine for case in CASES for engine in case.engines})
        parser.error(
            f"--only {options.only!r} and --engines {options.engines!r} leave nothing to kill; "
            f"commands: {', '.join(case.name for case in CASES)}; engines: {', '.join(engines)}"
        )
    with tempfile.TemporaryDirectory() as name:
        reference = options.reference or Path(name)
        reference.mkdir(exist_ok=True)
        lasts = undisturbed(CASES, reference)
        while sum(counts.values()) < options.kills:
            for case, engine, whom in rng.sample(plan, len(plan)):
                if sum(counts.values()) >= options.kills:
                    break
                trial = Trial(case, engine, reference, rng, lasts)
                wrong = trial.run(whom, rng.choice((1, 1, 2)))
                counts.update((case.name, engine, victim) for victim in trial.kills)
                wrongs += bool(wrong)
                when = ", ".join(
                    f"{victim} after {moment:.1f} s"
                    for victim, moment in zip(trial.kills, trial.moments, strict=True)
                )
                print(f"{case.name}, {engine}: {when or 'too late'}: "
                      f"{'; '.join(wrong) or 'all is there'}", flush=True)  # fmt: skip
    for (name, engine, victim), number in sorted(counts.items()):
        print(f"{name:12} {engine:10} {victim:7} {number}")
    print(f"{sum(counts.values())} kills, {wrongs} runs with something wrong", flush=True)
    return 1 if wrongs else 0


if __name__ == "__main__":
    sys.exit(main())
