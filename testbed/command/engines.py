"""Who computes the tasks of a command: what ``--engine`` and ``--workers`` say together."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.basis.errors import InputError
from testbed.command.console import default_workers
from testbed.engine.names import Engine

if TYPE_CHECKING:
    from testbed.sources.first_look import Apart

__all__ = ["Workforce"]


@dataclass(frozen=True)
class Workforce:
    """An engine, and the number of workers if it was given.

    Attributes:
        engine: see there.
        asked: the number that ``--workers`` gave; None if it gave none.
    """

    engine: Engine
    asked: int | None = None

    @staticmethod
    def parse(engine: str | None, workers: int | None) -> "Workforce":
        """Read the two options.

        Raises:
            InputError: if the engine is none or cannot be used, or the two contradict each other.
        """
        chosen = Engine.parse(engine)
        if workers is not None and chosen.elsewhere:
            who = "the scheduler has the workers it has" if chosen.address else "jobs: in the file"
            raise InputError(f"--workers {workers} would be ignored by --engine {engine}: {who}")
        if (workers or 1) > 1 and chosen.kind == "serial":
            raise InputError(f"--engine serial has one worker; got --workers {workers}")
        return Workforce(chosen, workers)

    def count(self, device: str) -> int:
        """Return the number of workers: as asked, else what this machine has for a device.

        That is a worker a core; of GPUs one, or, if an engine is named, one each.
        """
        if self.engine.cluster is not None:
            return self.engine.cluster.jobs
        if self.asked is not None or self.engine.kind == "serial":
            return self.asked or 1
        if self.engine.kind is not None and device == "cuda":
            import torch

            return max(1, torch.cuda.device_count())
        return default_workers(device)

    def apart(self, device: str, threads: int, limit: float | None) -> "Apart | None":
        """Return where a user's own networks are looked at first; None for this process.

        That is in this process if the work is done here too: what their code can do then, it will.
        """
        from testbed.sources.first_look import Apart

        workers = self.count(device)
        kind = self.engine.kind or ("processes" if workers > 1 else "serial")
        if kind == "serial" and limit is None:
            return None
        return Apart(min(workers, default_workers("cpu")), threads, limit)
