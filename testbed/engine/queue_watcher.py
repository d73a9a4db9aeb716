"""What became of a cluster's jobs, asked of its accounts, or of its queue where it keeps none."""

import time

from submitit.slurm.slurm import SlurmInfoWatcher

from testbed.engine import squeue

__all__ = ["QueueWatcher", "Watcher", "watcher"]

RETURNS = 180  # seconds in which a preempted job is back in the queue, if it goes there at all


def watcher(seconds: int) -> "Watcher":
    """Return who asks the cluster what became of jobs: its accounts, or its queue without them.

    Args:
        seconds: at most, between two questions.
    """
    # Without accounts sacct fails at every question, and a job that died would be waited for.
    has_accounts = squeue.answer("sacct", "--noheader", "--jobs", "1") is not None
    return (Watcher if has_accounts else QueueWatcher)(delay_s=seconds)


class Watcher(SlurmInfoWatcher):
    """Asks ``sacct``.

    Submitit takes a job that is suspended, or whose node boots, for one that is over, and waits
    for ever for one that was preempted and does not go back to the queue.
    """

    def __init__(self, delay_s: int) -> None:
        super().__init__(delay_s)
        self._preempted: dict[str, float] = {}

    def is_done(self, job_id: str, mode: str = "standard") -> bool:
        """Return whether a job is over."""
        state = self.get_state(job_id, mode=mode)
        if not state.upper().startswith("PREEMPTED"):
            self._preempted.pop(job_id, None)
            return squeue.is_over(state)
        since = self._preempted.setdefault(job_id, time.monotonic())
        return time.monotonic() - since > RETURNS


class QueueWatcher(Watcher):
    """Asks ``squeue``; a job that it lists no more is over."""

    def update(self) -> None:
        """Ask what became of all jobs; what was known stays if there is no answer."""
        waiting = self._registered - self._finished
        if not waiting:
            return
        self._num_calls += 1
        states = squeue.states()
        self._last_status_check = time.time()
        if states is None:
            return
        for job in waiting:
            state, node = states.get(job, (squeue.GONE, ""))
            self._info_dict[job] = {"JobID": job, "State": state, "NodeList": node}
            if self.is_done(job, mode="cache"):
                self._finished.add(job)
