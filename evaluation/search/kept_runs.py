"""Runs that are over, in a file beside the results: an interrupted search goes on from them."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path
from typing import IO

import numpy as np

from evaluation.search.base import Query
from evaluation.search.job import SearchJob, Task
from evaluation.search.objectives import Tabular
from testbed.basis.version import __version__
from testbed.files.replacing import replacing

__all__ = ["NAME", "KeptRuns", "kept_runs"]

NAME = "unfinished.jsonl"


class KeptRuns(dict[Task, list[Query]]):
    """Trajectories by run; one that is added is a line of a file, whatever happens then.

    Args:
        file: that the lines go to.
        there: what it holds already.
    """

    def __init__(self, file: IO[str], there: dict[Task, list[Query]]) -> None:
        super().__init__(there)
        self._file = file

    def __setitem__(self, task: Task, trajectory: list[Query]) -> None:
        """Keep a trajectory."""
        super().__setitem__(task, trajectory)
        self._file.write(_line(task, trajectory))
        self._file.flush()


@contextmanager
def kept_runs(job: SearchJob, folder: Path | None) -> Iterator[dict[Task, list[Query]]]:
    """Yield the runs of a job that an earlier, interrupted search left in a folder.

    What is added to them is kept there too, until the search has ended well. Runs of anything
    else (another truth, budget, seed, proxy or version) are not taken, and are written over.

    Args:
        job: on scores that are known.
        folder: of the results; None to keep nothing.
    """
    if folder is None:
        yield {}
        return
    folder.mkdir(parents=True, exist_ok=True)
    path, of_what = folder / NAME, _digest(job)
    there = _read(path, of_what)
    with replacing(path) as whole, whole.open("w", encoding="utf-8") as file:
        file.write(json.dumps(of_what) + "\n")
        file.writelines(_line(task, trajectory) for task, trajectory in there.items())
    with path.open("a", encoding="utf-8") as file:
        yield KeptRuns(file, there)
    path.unlink(missing_ok=True)


def _read(path: Path, of_what: str) -> dict[Task, list[Query]]:
    """Return the runs of a file, of which the last line may be half written."""
    try:
        first, *lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        if json.loads(first) != of_what:
            return {}
        return dict(_run(line) for line in lines if line.endswith("\n"))
    except (OSError, ValueError, TypeError, IndexError):
        return {}


def _line(task: Task, trajectory: list[Query]) -> str:
    return json.dumps([astuple(task), [astuple(query) for query in trajectory]]) + "\n"


def _run(line: str) -> tuple[Task, list[Query]]:
    task, queries = json.loads(line)
    return Task(*task), [Query(*query) for query in queries]


def _digest(job: SearchJob) -> str:
    """Return what settles the runs of a job: their draws, and all that they can look at."""
    assert isinstance(job.objective, Tabular)
    candidates = job.candidates
    facts = (
        __version__, job.seed, job.queries, job.members, job.objective.targets,
        candidates.labels.tolist(), candidates.space.pool,
        [proxy.name for proxy in job.proxies],
    )  # fmt: skip
    digest = hashlib.sha256(repr(facts).encode())
    for values in (job.objective.values, *(proxy.values for proxy in job.proxies)):
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()
