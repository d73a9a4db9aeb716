"""What SLURM's queue says of the jobs of a run, and which of its words mean that a job is over."""

import subprocess
import sys
from collections.abc import Iterable

__all__ = ["GONE", "NAME", "answer", "cancel", "is_over", "refusal", "states"]

NAME = "proxies"  # of all jobs of the toolkit
GONE = "NO LONGER QUEUED"
PATIENCE = 30  # seconds for an answer
# All others are of a job that will run, or runs: CONFIGURING, SUSPENDED, REQUEUED, STAGE_OUT.
OVER = (
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "LAUNCH_FAILED", "NODE_FAIL",
    "OUT_OF_MEMORY", "RECONFIG_FAIL", "REVOKED", "TIMEOUT", GONE,
)  # fmt: skip


def is_over(state: str) -> bool:
    """Say whether a job of this state is over: ``CANCELLED by 1000`` is, PREEMPTED may not be."""
    return state == GONE or state.upper().partition(" ")[0].rstrip("+") in OVER


def states() -> dict[str, tuple[str, str]] | None:
    """Return the state and the nodes of each job of the queue by its number; None: no answer."""
    words = ("--noheader", "--array", "--states=all", f"--name={NAME}", "--format=%i|%T|%N")
    said = answer("squeue", *words)
    if said is None:
        return None
    lines = (line.split("|") for line in said.splitlines() if line.count("|") == 2)
    return {number.strip(): (state.strip(), node.strip()) for number, state, node in lines}


def refusal(said: str) -> str:
    """Return in one line why ``sbatch`` or ``qsub`` took no job, of what it said."""
    lines = (line.strip().removeprefix("sbatch: error: ") for line in said.splitlines())
    return "; ".join(line for line in lines if line)[:300]


def cancel(numbers: Iterable[str]) -> None:
    """Cancel jobs; say on standard error how to do it where the cluster does not."""
    words = ["scancel", *sorted(numbers)]
    if words[1:] and answer(*words) is None:
        print(
            f"scancel failed: if jobs are left in the queue, end them by `{' '.join(words)}`",
            file=sys.stderr, flush=True,
        )  # fmt: skip


def answer(*words: str) -> str | None:
    """Return what a command of the cluster says; None if it fails or takes too long."""
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=PATIENCE, check=False, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
