"""Everything a command says of its runs, printed and written."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console

from evaluation.search import output, results, summary
from evaluation.search.base import Query
from evaluation.search.candidates import Listed, option_counts
from evaluation.search.held_out import held_out_taus
from evaluation.search.job import SearchJob, Task, trajectories
from evaluation.search.predictor import proxy_features
from evaluation.search.problem import Problem
from evaluation.search.proxy_scores import top_ones
from evaluation.truths.targets import Target

__all__ = ["Findings"]

REPEATS = 20


@dataclass(frozen=True, eq=False)
class Findings:
    """What the runs of a search found.

    Attributes:
        job: that ran.
        problem: that it was about.
        done: the trajectory of each run.
    """

    job: SearchJob
    problem: Problem
    done: Sequence[tuple[Task, Sequence[Query]]]

    @cached_property
    def queries(self) -> pd.DataFrame:
        """One row a query, see `evaluation.search.job.trajectories`."""
        return trajectories(self.job, self.done)

    @cached_property
    def accuracies(self) -> pd.DataFrame:
        """By candidate, what tables show."""
        return self.problem.accuracies()

    @property
    def targets(self) -> tuple[str, ...]:
        """What was maximised."""
        return self.problem.objective.targets

    @property
    def objective(self) -> str:
        """What was maximised, in words."""
        names = " and ".join(map(self._title, self.targets))
        return names if len(self.targets) == 1 else f"{names} (weighted sum)"

    @property
    def among(self) -> str:
        """What was searched, where that is not all of a space."""
        having = "scores"
        if self.problem.complete:
            having = " and ".join(dict.fromkeys(map(self._title, self.targets)))
        return self.job.candidates.sentence(self.job.members, having)

    @cached_property
    def columns(self) -> list[str]:
        """The columns of the table."""
        wanted = dict.fromkeys((*results.TABLE, *self.targets))
        return [name for name in wanted if name in self.accuracies]

    @cached_property
    def table(self) -> pd.DataFrame:
        """What the runs found, see `evaluation.search.results.found`."""
        return results.found(self.queries, self.accuracies.filter(items=self.columns))

    @cached_property
    def members(self) -> Sequence[int]:
        """Every candidate."""
        return self.job.candidates.restricted(self.job.members).pool

    @property
    def best(self) -> float | None:
        """The largest value of the objective there is, where that is known."""
        if not self.problem.complete or len(self.targets) > 1:
            return None
        values = self.problem.objective.scalar([1.0])
        return max(float(values(candidate)) for candidate in self.members)  # type: ignore[arg-type]

    def show(self, console: Console) -> None:
        """Print the tables."""
        optimum = None
        if self.problem.complete:
            optimum = results.optimum(self.accuracies.filter(items=self.columns), self.members)
        titles = {name: self._title(name) for name in self.columns}
        summary.print_found(self.table, optimum, titles, self.objective, console)
        if len(self.targets) > 1:
            front, shares = self.front
            names = self.job.candidates.named(front.index.tolist()).set_index(front.index)
            summary.print_front(front, shares, names, self.problem.complete, console)
        else:  # of several, each run maximises a sum of its own
            scale = 100 if set(self.targets) <= set(self.accuracies) else 1
            best = results.best_after(self.queries)
            summary.print_best(best, self.objective, scale, console)
            first = results.best_networks(self.queries).reset_index(drop=True)
            networks = self.job.candidates.named(first.pop("incumbent").tolist())
            networks.insert(0, "algorithm", first["algorithm"])
            summary.print_networks(networks, console)

    @cached_property
    def front(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """See `evaluation.search.results.common_front`."""
        members = self.members if self.problem.complete else None
        return results.common_front(
            self.queries, self.accuracies.filter(items=self.targets), members
        )

    def _title(self, name: str) -> str:
        return name if name == self.problem.proxy else str(Target.parse(name))

    def show_proxies(self, scores: pd.DataFrame, fitted: Sequence[int], console: Console) -> None:
        """Print what proxies, and forests fitted to so many networks, know without a search.

        Nothing, unless the objective is one accuracy that is known in advance.
        """
        names = list(self.targets)
        if not self.problem.complete or len(names) > 1 or names[0] not in self.accuracies:
            return
        values, name = self.accuracies[names[0]].to_numpy(dtype=np.float64), self._title(names[0])
        table = top_ones(scores, values, self.job.candidates)
        summary.print_top_ones(table, name, console)
        if fitted:
            summary.print_held_out(self._held_out(values, fitted), name, console)

    def _held_out(
        self, values: np.ndarray, fitted: Sequence[int]
    ) -> Iterator[tuple[str, int, float, float]]:
        pool = list(self.members)
        space = self.job.candidates.space
        one_hot = space.one_hot(range(len(values)))
        features = {"one-hot operations": one_hot}
        if not isinstance(space, Listed):
            features = {"numbers of operations": option_counts(space), **features}
        if self.job.candidates.structure is not None:
            features["one-hot operations, paths and counts"] = np.hstack(
                [one_hot, self.job.candidates.structure]
            )
        if self.job.proxies:
            scores = np.stack([proxy.values for proxy in self.job.proxies], axis=1)
            names = ", ".join(proxy.name for proxy in self.job.proxies)
            features[f"one-hot operations and {names}"] = np.hstack(
                [one_hot, proxy_features(scores)]
            )
        for name, inputs in features.items():
            for count in fitted:
                taus = held_out_taus(inputs[pool], values[pool].tolist(), count, REPEATS)
                yield name, count, float(taus.mean()), float(taus.std(ddof=1) / REPEATS**0.5)

    def write(self, folder: Path, kind: str, formats: Sequence[str]) -> list[Path]:
        """Write trajectories, tables and figures; return the paths.

        Args:
            folder: made if it is missing.
            kind: of the trajectories, one of `names.TABLES`.
            formats: of the figures.
        """
        queries = output.readable(self.queries, self.objective, self.job.candidates)
        written = [
            output.write_table(queries, folder / "trajectories", kind),
            output.write_table(self.table, folder / "table"),
            output.write_table(results.best_after(self.queries), folder / "best"),
            *output.write_figures(
                self.queries, folder, formats, f"best {self.objective} so far", self.best
            ),
        ]
        if len(self.targets) > 1:
            scores = self.accuracies.filter(items=self.targets)
            known = results.optimal(scores, self.members) if self.problem.complete else None
            asked = scores.reindex(self.queries["candidate"].unique()).dropna()
            written += output.write_front(
                asked, self.front[0], known, folder, formats, self.job.candidates
            )
        return written
