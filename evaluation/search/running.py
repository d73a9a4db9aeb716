"""All runs of a study, in one process or several, with a bar."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from evaluation.search.base import Query
from evaluation.search.findings import Findings
from evaluation.search.live_setup import LiveSettings, live_problem
from evaluation.search.problem import Problem
from evaluation.search.proxy_scores import ProxyScores
from evaluation.search.registry import Algorithm
from evaluation.search.study import Study, Task
from testbed import engine
from testbed.command.console import default_workers, progress
from testbed.errors import ToolkitError

__all__ = ["Plan", "RunFailedError", "run_all", "search_live", "search_truth"]

FEW = 20  # runs that are over before workers have started


class RunFailedError(ToolkitError, RuntimeError):
    """A run of a search that ended with an error."""


@dataclass(frozen=True)
class Plan:
    """What to run, and how.

    Attributes:
        algorithms: each of which runs.
        proxies: that they may use.
        queries: the budget of a run.
        runs: of each algorithm.
        seed: of the searches.
        workers: processes; None for what fits.
        threads: of torch in each.
    """

    algorithms: Sequence[Algorithm]
    proxies: Sequence[ProxyScores] = ()
    queries: int = 300
    runs: int = 1
    seed: int = 0
    workers: int | None = None
    threads: int = 1

    def study(self, problem: Problem) -> tuple[Study, list[Task]]:
        """Return the study of a problem, and its runs."""
        study = Study(problem.objective, self.queries, problem.members, self.seed, self.proxies)
        return study, study.tasks(self.algorithms, self.runs)


def search_truth(plan: Plan, problem: Problem, console: Console) -> Findings:
    """Run a plan on scores that are known, with a bar that counts runs.

    Raises:
        RunFailedError: if a run fails.
        EngineError: if a worker dies.
    """
    study, tasks = plan.study(problem)
    slow = sum(plan.runs for algorithm in plan.algorithms if algorithm.slow)
    workers = plan.workers or (default_workers("cpu") if slow > FEW else 1)
    with progress(console) as bar:
        count = bar.add_task("searching", total=len(tasks))
        done = run_all(study, tasks, workers, plan.threads, lambda: bar.advance(count))
    return Findings(study, problem, done)


def search_live(
    plan: Plan, folder: Path, targets: Sequence[str], settings: LiveSettings, console: Console
) -> Findings:
    """Run a plan on networks that are trained and attacked, with a bar that counts queries.

    Raises:
        RunFailedError: if a run fails.
        Exception: as `live_problem`.
    """
    with progress(console) as bar:
        count = bar.add_task("searching", total=None)

        def watch(line: str | None) -> None:
            bar.advance(count)
            if line:
                bar.console.print(Text(line), soft_wrap=True)

        with live_problem(folder, targets, settings, watch) as problem:
            study, tasks = plan.study(problem)
            bar.update(count, total=len(tasks) * plan.queries)
            done = run_all(study, tasks, 1, plan.threads)
    return Findings(study, problem, done)


def run_all(
    study: Study,
    tasks: Sequence[Task],
    workers: int = 1,
    threads: int = 1,
    advance: Callable[[], object] = lambda: None,
) -> list[tuple[Task, list[Query]]]:
    """Return the trajectory of each task, in their order.

    Args:
        study: to run.
        tasks: of the study.
        workers: processes.
        threads: of torch in each.
        advance: called after each run.

    Raises:
        RunFailedError: if a run fails.
        EngineError: if a worker dies.
    """
    done: dict[int, list[Query]] = {}
    with closing(engine.run(study, tasks, workers=workers, threads=threads)) as outcomes:
        for place, outcome in outcomes:
            if outcome.value is None:
                raise RunFailedError(f"{study.label(tasks[place])} failed: {outcome.error}")
            done[place] = outcome.value
            advance()
    return [(task, done[place]) for place, task in enumerate(tasks)]
