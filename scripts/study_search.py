"""The tables and the figure of docs/study/searches.md: what a score of structure buys in a search.

    python -m scripts.study_search --truth DATA/robustness-data --out docs/study

Searches of the published truth for the largest PGD@1 and APGD-CE@1, without a score and with each
of `SCORES`, at 10, 50 and 300 queries. Writes searches.csv, one row an objective, networks, search
and number of queries, the tables between the marks of searches.md, and searches.svg. On one core
it takes some ten minutes.
"""

import argparse
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from evaluation.report.figures.style import CYCLE, figure, styled
from evaluation.search.candidates import Candidates
from evaluation.search.objectives import truth_objective
from evaluation.search.problem import Problem, truth_candidates
from evaluation.search.proxy_scores import ProxyScores, top_one
from evaluation.search.registry import choose
from evaluation.search.results import MILESTONES, best_after
from evaluation.search.running import Plan, search_truth
from evaluation.truths import AnyTruth, open_truth
from evaluation.truths.targets import Target
from scripts.marks import write_between
from testbed.basis.terminal import plain_console

OBJECTIVES = ("pgd@1", "apgd@1")
SCORES = ("smoothed_stacking", "stacking", "capacity", "params")
ALONE = ("random", "evolution", "local")
SLOW = ("bananas", "predictor-structure")
WITH = ("rank", "local-ordered", "evolution-warm-up", "evolution-filtered")
HALVES = {"all": (*ALONE, *SLOW, *WITH), "odd": (*ALONE, *WITH)}
TITLES = {
    "all": "Among all {n:,} networks",
    "odd": "Among the {n:,} of odd number, on which no score was found",
}
DRAWN = (
    "random", "evolution", "local", "bananas", "rank (smoothed_stacking)",
    "evolution-warm-up (smoothed_stacking)",
)  # fmt: skip


def structural_scores(candidates: Candidates) -> list[ProxyScores]:
    """Return the scores of every candidate, NaN where another stands for it."""
    space, record = candidates.space, candidates.roster.space
    assert record is not None
    functions = {"params": record.parameters, **record.structure}
    found = []
    for name in SCORES:
        values = np.full(len(candidates.labels), np.nan)
        for place in space.pool:
            values[place] = functions[name](record.parse(space.name(place)))
        found.append(ProxyScores(name, values))
    return found


def problem(truth: AnyTruth, target: str, half: str) -> Problem:
    """Return the search for the best network, among all or those of odd published number."""
    accuracies, candidates = truth.targets(), truth_candidates(truth)
    if half == "odd":
        accuracies = accuracies[accuracies.index.to_numpy() % 2 == 1]
    objective = truth_objective(accuracies, [target], candidates)
    members = objective.members(candidates)
    known = candidates.values(accuracies)
    return Problem(objective, members, lambda: known, complete=True, candidates=candidates)


def searched(
    truth: AnyTruth, target: str, runs: int, slow_runs: int
) -> tuple[list[dict[str, object]], pd.DataFrame]:
    """Return one row for each half, search and milestone, in %, and all queries of the whole.

    The milestone 0 is the best network by a score alone, which nobody attacked; where several
    share the best score, the mean over them.

    Args:
        truth: the published one.
        target: the objective.
        runs: of each search.
        slow_runs: of each that fits models.
    """
    rows: list[dict[str, object]] = []
    for half, names in HALVES.items():
        about = problem(truth, target, half)
        proxies = structural_scores(about.candidates)
        values = about.accuracies()[target].to_numpy(dtype=np.float64)
        key = {"objective": target, "networks": half, "of": int(np.isfinite(values).sum())}
        rows += [{**key, **row} for row in _unasked(proxies, values)]
        queries = pd.concat([
            _queries(names, ALONE, [], runs, about), _queries(names, SLOW, [], slow_runs, about),
            _queries(names, WITH, proxies, runs, about),
        ])  # fmt: skip
        best = best_after(queries).rename(columns={"algorithm": "search", "query": "queries"})
        best[["mean", "standard_error"]] *= 100
        rows += [{**key, **row} for row in best.to_dict("records")]
        if half == "all":
            curves = queries
    return rows, curves


def _queries(
    names: Sequence[str], among: Sequence[str], proxies: Sequence[ProxyScores], runs: int,
    about: Problem,
) -> pd.DataFrame:  # fmt: skip
    """Return all queries of the searches that are in both lists."""
    chosen = [name for name in names if name in among]
    if not chosen:
        return pd.DataFrame()
    # `local` is searched without a score in sight: beside one it would be the ordered one.
    plan = Plan(choose(chosen, bool(proxies)), proxies, max(MILESTONES), runs, workers=1)
    return search_truth(plan, about, plain_console(quiet=True)).queries


def _unasked(proxies: Sequence[ProxyScores], values: np.ndarray) -> Iterator[dict[str, object]]:
    yield {"search": "optimum", "queries": 0, "mean": 100 * np.nanmax(values), "tied": 1}
    for proxy in proxies:
        mean, tied = top_one(proxy, values)
        yield {"search": f"rank ({proxy.name})", "queries": 0, "mean": 100 * mean, "tied": tied}


def markdown(found: pd.DataFrame) -> Iterator[str]:
    """Yield the lines of the tables: one for each objective and half."""
    for (target, half), part in found.groupby(["objective", "networks"], sort=False):
        yield f"\n### {Target.parse(str(target))}: {TITLES[str(half)].format(n=part['of'].iloc[0])}"
        optimum = part.loc[part["search"] == "optimum", "mean"].iloc[0]
        runs = {
            name in SLOW: int(own)
            for name, own in part.groupby("search")["runs"].max().items()
            if own == own
        }
        fewer = f", {runs[True]} of {' and '.join(SLOW)}" if True in runs else ""
        yield f"\nThe optimum is {optimum:.2f} %. {runs[False]} runs of each search{fewer}.\n"
        steps = (0, *MILESTONES)
        yield f"| search | {' | '.join(f'{step} queries' for step in steps)} |"
        yield f"| --- |{' ---: |' * len(steps)}"
        searches = part[part["search"] != "optimum"]
        order = [name for name in searches["search"].unique() if not name.startswith("rank (")]
        order += [name for name in searches["search"].unique() if name.startswith("rank (")]
        for name in order:
            cells = searches[searches["search"] == name].set_index("queries")
            words = [_cell(cells.loc[step]) if step in cells.index else "" for step in steps]
            yield f"| {name} | {' | '.join(words)} |"


def _cell(row: pd.Series) -> str:
    if row["runs"] != row["runs"]:  # nothing was asked for
        tied = f" (mean of {row['tied']:.0f})" if row["tied"] > 1 else ""
        return f"{row['mean']:.2f}{tied}"
    return f"{row['mean']:.2f} ± {row['standard_error']:.2f}"


def draw(curves: dict[str, pd.DataFrame], path: Path) -> None:
    """Draw the mean best so far of some searches against queries, with 95 % intervals."""
    places = np.unique(np.geomspace(1, max(MILESTONES), 40).round().astype(int))
    with styled():
        canvas = figure(8, 3.6)
        panels = canvas.subplots(1, len(curves))
        for axes, (target, queries) in zip(panels, curves.items(), strict=True):
            for place, name in enumerate(DRAWN):
                runs = queries[queries["algorithm"] == name]
                best = 100 * runs.pivot(index="run", columns="query", values="best")[places]
                mean, half = best.mean(), 1.96 * best.sem()
                colour, style = CYCLE[place % len(CYCLE)], "--" if "(" in name else "-"
                axes.plot(places, mean, style, color=colour, label=name)
                axes.fill_between(
                    places, mean - half, mean + half, color=colour, alpha=0.15, linewidth=0
                )
            axes.set_xscale("log")
            axes.set_xticks((1, *MILESTONES), [str(step) for step in (1, *MILESTONES)])
            axes.set_xticks((), minor=True)
            axes.set_xlabel("networks attacked")
            axes.set_ylabel(f"best {Target.parse(target)} so far, %")
        panels[0].legend()
        canvas.savefig(path, metadata={"Date": None})


def main() -> None:
    """Search, write and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--slow-runs", type=int, default=20, help=f"of {', '.join(SLOW)}")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--out", type=Path, default=Path())
    options = parser.parse_args()
    truth = open_truth(options.truth, "cifar10")
    with ProcessPoolExecutor(options.workers) as pool:
        jobs = {
            target: pool.submit(searched, truth, target, options.runs, options.slow_runs)
            for target in OBJECTIVES
        }
        done = {target: job.result() for target, job in jobs.items()}
    found = pd.DataFrame([row for rows, _ in done.values() for row in rows])
    kept = options.out / "searches.csv"
    found.to_csv(kept, index=False, float_format="%.6g")
    # From what is kept, so that page and table cannot differ by a rounding.
    write_between(options.out / "searches.md", "\n".join(markdown(pd.read_csv(kept))))
    draw({target: queries for target, (_, queries) in done.items()}, options.out / "searches.svg")


if __name__ == "__main__":
    main()
