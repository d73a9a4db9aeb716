"""The job of ``evaluation.search``: runs, each settled by its algorithm and seed alone."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pandas as pd

from evaluation.search.base import Query, search
from evaluation.search.candidates import Candidates, default_candidates
from evaluation.search.objectives import Objective
from evaluation.search.predictor import proxy_features
from evaluation.search.proxy_scores import ProxyScores
from evaluation.search.registry import ALGORITHMS, Algorithm
from testbed.basis.seeding import derive_seed
from testbed.command.job import Words
from testbed.engine import Outcome

__all__ = ["SearchJob", "Task", "trajectories"]


@dataclass(frozen=True)
class Task:
    """One run of an algorithm.

    Attributes:
        algorithm: its name.
        proxy: the place of its proxy among those of the job; None without one.
        run: the number of the run.
    """

    algorithm: str
    proxy: int | None
    run: int


@dataclass(frozen=True, eq=False)
class SearchJob:
    """What is the same for all runs; calling it with a task searches.

    Attributes:
        objective: that is maximised.
        queries: the budget of each run.
        members: the candidates that may be asked for; None for all cells.
        seed: of all draws, together with the algorithm and the run.
        proxies: that the algorithms may use.
        candidates: all there are, members or not.
    """

    words: ClassVar[Words] = Words("searching", "runs")

    objective: Objective
    queries: int
    members: tuple[int, ...] | None = None
    seed: int = 0
    proxies: Sequence[ProxyScores] = field(default_factory=tuple)
    candidates: Candidates = field(default_factory=default_candidates, repr=False)

    def tasks(self, algorithms: Iterable[Algorithm], runs: int) -> list[Task]:
        """Return the runs of every algorithm, of those with a proxy for each proxy."""
        found = []
        for algorithm in algorithms:
            many = range(len(self.proxies)) if algorithm.needs == "proxy" else (None,)
            found += [Task(algorithm.name, place, run) for place in many for run in range(runs)]
        return found

    def name(self, task: Task) -> str:
        """Return how a table calls the algorithm of a task."""
        if ALGORITHMS[task.algorithm].needs == "features" and self.proxies:
            return f"{task.algorithm} ({', '.join(proxy.name for proxy in self.proxies)})"
        if task.proxy is None:
            return task.algorithm
        return f"{task.algorithm} ({self.proxies[task.proxy].name})"

    def save(
        self, done: dict[Task, list[Query]], run: int, task: Task, trajectory: list[Query]
    ) -> Mapping[str, str]:
        """Add the trajectory of a run to those that are done."""
        done[task] = trajectory
        return {}

    def wanted(self, task: Task) -> bool:
        """Return that each run is wanted."""
        return True

    def fail(
        self, done: dict[Task, list[Query]], run: int, task: Task, outcome: Outcome
    ) -> Sequence[Task]:
        """Keep nothing: a run that fails ends the search."""
        return ()

    def weights(self, run: int) -> list[float]:
        """Return the weights of the targets in a run: positive, of sum 1, uniformly drawn.

        One target has weight 1. With several, runs look in different directions, and what
        they asked for together shows the front.
        """
        if len(self.objective.targets) == 1:
            return [1.0]
        source = random.Random(derive_seed("search weights", self.seed, run))
        drawn = [source.expovariate(1) for _ in self.objective.targets]
        return [weight / sum(drawn) for weight in drawn]

    def __call__(self, task: Task) -> list[Query]:
        """Run a task and return its trajectory."""
        algorithm = ALGORITHMS[task.algorithm]
        proxy = None if task.proxy is None else self.proxies[task.proxy].proxy()
        features = self.candidates.structure if algorithm.needs == "structure" else None
        if algorithm.needs == "features" and self.proxies:
            features = proxy_features(np.stack([p.values for p in self.proxies], axis=1))
        # Not the proxy: two proxies are compared on the same draws.
        key = (algorithm.name, self.seed, task.run)
        objective = self.objective.scalar(self.weights(task.run))
        searcher = algorithm.searcher(proxy, features)
        space = self.candidates.restricted(self.members)
        return search(searcher, space, objective, self.queries, key).trajectory


def trajectories(job: SearchJob, done: Sequence[tuple[Task, Sequence[Query]]]) -> pd.DataFrame:
    """Return one row a query: algorithm, run, query (from 1), candidate, value, best, seconds.

    ``best`` is the largest value so far, and ``incumbent`` the first candidate that had it.
    """
    frames = []
    for task, queries in done:
        values = np.array([query.value for query in queries])
        candidates = np.array([query.candidate for query in queries])
        comparable = np.where(np.isnan(values), -np.inf, values)
        best = np.maximum.accumulate(comparable)
        new = np.concatenate([[True], best[1:] > best[:-1]])
        frames.append(
            pd.DataFrame(
                {
                    "algorithm": job.name(task),
                    "run": task.run,
                    "query": np.arange(1, len(queries) + 1),
                    "candidate": candidates,
                    "value": values,
                    "best": np.where(np.isfinite(best), best, np.nan),
                    "incumbent": candidates[
                        np.maximum.accumulate(np.where(new, range(len(new)), 0))
                    ],
                    "seconds": [query.seconds for query in queries],
                }
            )
        )
    return pd.concat(frames, ignore_index=True)
