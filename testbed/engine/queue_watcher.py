"""What became of a cluster's jobs, asked of its queue: many small clusters keep no accounts."""

import subprocess
import time

from submitit.slurm.slurm import SlurmInfoWatcher

__all__ = ["GONE", "NAME", "QueueWatcher", "watcher"]

NAME = "proxies"  # of all jobs of submitit
GONE = "NO LONGER QUEUED"
PATIENCE = 30  # seconds for an answer


def watcher(seconds: int) -> SlurmInfoWatcher:
    """Return who asks the cluster what became of jobs: its accounts, or its queue without them.

    Args:
        seconds: at most, between two questions.
    """
    # Without accounts sacct fails at every question, and a job that died would be waited for.
    kind = SlurmInfoWatcher if _answer("sacct", "--noheader", "--jobs", "1") else QueueWatcher
    return kind(delay_s=seconds)


class QueueWatcher(SlurmInfoWatcher):
    """Asks ``squeue``; a job that it lists no more is over."""

    def update(self) -> None:
        """Ask what became of all jobs; what was known stays if there is no answer."""
        waiting = self._registered - self._finished
        if not waiting:
            return
        self._num_calls += 1
        words = ("--noheader", "--array", "--states=all", f"--name={NAME}", "--format=%i|%T|%N")
        answer = _answer("squeue", *words)
        self._last_status_check = time.time()
        if answer is None:
            return
        listed = (line.split("|") for line in answer.stdout.splitlines() if line.count("|") == 2)
        states = {number.strip(): (state.strip(), node.strip()) for number, state, node in listed}
        for job in waiting:
            state, node = states.get(job, (GONE, ""))
            self._info_dict[job] = {"JobID": job, "State": state, "NodeList": node}
            if self.is_done(job, mode="cache"):
                self._finished.add(job)


def _answer(*words: str) -> "subprocess.CompletedProcess[str] | None":
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=PATIENCE, check=False, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done if done.returncode == 0 else None
