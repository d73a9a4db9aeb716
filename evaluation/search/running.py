"""All runs of a search, in one process or several, with a bar."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.text import Text

from evaluation.search.base import Query
from evaluation.search.candidates import Candidates
from evaluation.search.findings import Findings
from evaluation.search.job import SearchJob, Task
from evaluation.search.kept_runs import kept_runs
from evaluation.search.live_setup import LiveSettings, live_problem
from evaluation.search.problem import Problem
from evaluation.search.proxy_scores import ProxyScores
from evaluation.search.registry import Algorithm
from testbed.basis.errors import ToolkitError
from testbed.basis.terminal import plain_console
from testbed.command.console import default_workers, progress
from testbed.command.job import Bar, Execution, count_tasks, run_job
from testbed.engine.names import Engine

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
        engine: who computes.
    """

    algorithms: Sequence[Algorithm]
    proxies: Sequence[ProxyScores] = ()
    queries: int = 300
    runs: int = 1
    seed: int = 0
    workers: int | None = None
    threads: int = 1
    engine: Engine = field(default_factory=Engine)

    def job(self, problem: Problem) -> tuple[SearchJob, list[Task]]:
        """Return the job of a problem, and its runs."""
        job = SearchJob(
            problem.objective, self.queries, problem.members, self.seed, self.proxies,
            problem.candidates,
        )  # fmt: skip
        return job, job.tasks(self.algorithms, self.runs)


def search_truth(
    plan: Plan, problem: Problem, console: Console, folder: Path | None = None
) -> Findings:
    """Run a plan on scores that are known, with a bar that counts runs.

    Args:
        plan: what to run.
        problem: the scores.
        console: of the bar.
        folder: where runs are kept until all are over, so that an interrupted search goes on;
            None to keep none.

    Raises:
        RunFailedError: if a run fails.
        EngineError: if a worker dies.
    """
    job, tasks = plan.job(problem)
    slow = sum(plan.runs for algorithm in plan.algorithms if algorithm.slow)
    workers = plan.workers or (default_workers("cpu") if slow > FEW else 1)
    with kept_runs(job, folder) as done:
        left = [task for task in tasks if task not in done]
        bar = count_tasks(job, left, console)
        run_all(job, left, workers, plan.threads, bar, plan.engine, done)
    return Findings(job, problem, [(task, done[task]) for task in tasks])


def search_live(
    plan: Plan, folder: Path, targets: Sequence[str], settings: LiveSettings, console: Console,
    candidates: Candidates | None = None,
) -> Findings:  # fmt: skip
    """Run a plan on networks that are trained and attacked, with a bar that counts queries.

    The candidates are those of NAS-Bench-201 if none are given.

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

        with live_problem(folder, targets, settings, watch, candidates) as problem:
            job, tasks = plan.job(problem)
            bar.update(count, total=len(tasks) * plan.queries)
            done = run_all(job, tasks, 1, plan.threads)
    return Findings(job, problem, done)


def run_all(
    job: SearchJob,
    tasks: Sequence[Task],
    workers: int = 1,
    threads: int = 1,
    bar: Bar | None = None,
    engine: Engine | None = None,
    done: dict[Task, list[Query]] | None = None,
) -> list[tuple[Task, list[Query]]]:
    """Return the trajectory of each task, in their order.

    Args:
        job: to run.
        tasks: of the job.
        workers: processes.
        threads: of torch in each.
        bar: of the runs; none is shown if not given.
        engine: who computes.
        done: where trajectories go as they come.

    Raises:
        RunFailedError: if a run fails.
        KeyboardInterrupt: by Ctrl-C.
        EngineError: if a worker dies.
    """
    done = {} if done is None else done
    execution = Execution(
        "evaluation.search", workers, threads, strict=True, engine=engine or Engine()
    )
    bar = bar or nullcontext(lambda count: None)
    ending = run_job(job, tasks, done, execution, plain_console(quiet=True), bar)
    if ending.interrupted:
        raise KeyboardInterrupt
    for name, error in ending.failed:
        raise RunFailedError(f"{name} failed: {error}")
    return [(task, done[task]) for task in tasks]
