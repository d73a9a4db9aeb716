"""Runs that are over, in a file beside the results: an interrupted search goes on from them."""

import hashlib
import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path
from typing import IO

import numpy as np

from evaluation.search.base import Query
from evaluation.search.job import SearchJob, Task
from evaluation.search.objectives import Tabular
from testbed.basis.errors import ToolkitError
from testbed.basis.version import __version__
from testbed.files.replacing import replacing
from testbed.files.strict_json import parse_json

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
    there = _read(path, of_what, {*job.candidates.space.pool})
    with replacing(path) as whole, whole.open("w", encoding="utf-8") as file:
        file.write(json.dumps(of_what) + "\n")
        file.writelines(_line(task, trajectory) for task, trajectory in there.items())
    with path.open("a", encoding="utf-8") as file:
        yield KeptRuns(file, there)
    path.unlink(missing_ok=True)


def _read(path: Path, of_what: str, candidates: Collection[int]) -> dict[Task, list[Query]]:
    """Return the runs of a file; a line that is half written, or altered, is none."""
    try:
        first, *lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):  # not there, not of text, or empty
        return {}
    if first != json.dumps(of_what):
        return {}
    return dict(run for line in lines if (run := _run(line, candidates)))


def _line(task: Task, trajectory: list[Query]) -> str:
    return json.dumps([astuple(task), [astuple(query) for query in trajectory]]) + "\n"


def _run(line: str, candidates: Collection[int]) -> tuple[Task, list[Query]] | None:
    """Return the run of a line, None if it cannot be one of a search among these candidates."""
    try:
        task, queries = parse_json(line, NAME, constants=True)
        run, trajectory = Task(*task), [Query(*query) for query in queries]
        hash(run)
        sound = all(
            type(query.candidate) is int
            and query.candidate in candidates
            and all(isinstance(number, int | float) for number in (query.value, query.seconds))
            for query in trajectory
        )
    except (ToolkitError, ValueError, TypeError):
        return None
    return (run, trajectory) if trajectory and sound else None


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
