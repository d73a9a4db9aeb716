"""The tables of docs/which_proxy.md: the best proxy by target, budget and population.

    python -m scripts.which_proxy

Every τ is read from docs/study_500.csv, as scripts/study_500.py left it, every second from the
package's scores (`testbed.tables.STUDY_500`): nothing is computed anew, so that the two pages
cannot say two things. Run it after scripts/study_500.py.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from evaluation.truths.targets import Target
from scripts.marks import write_between
from testbed.basis.errors import InputError
from testbed.catalogue.registry import PROXIES
from testbed.command.numbers import Spelling
from testbed.store import read_scores
from testbed.tables import STUDY_500

DOCS = Path(__file__).resolve().parents[1] / "docs"
HOLM = {"params": "difference_params_holm", "paths_pool_min": "difference_paths_holm"}
BASELINES = tuple(HOLM)
QUICK = 2  # seconds a network
LEVEL = 0.05
TITLES = {
    ("Trained normally", ""): "You will train normally, and your networks are a mixture",
    ("Trained normally", "clean > 0.9"): "You will train normally, and all of them are accurate",
    ("Trained adversarially", ""): "You will train adversarially",
}
KEYS = ["training", "condition", "target", "proxy"]


def tables(study: pd.DataFrame, seconds: Mapping[str, float]) -> str:
    """Return one section a population: the best proxies of each target and budget.

    Args:
        study: the rows of study_500.csv.
        seconds: the median seconds that a network takes, by proxy.

    Raises:
        InputError: if a proxy stands twice under one target, or a population is unknown.
    """
    study = study.assign(condition=study["condition"].fillna(""))
    if study.duplicated(KEYS).any():
        twice = sorted(set(study["proxy"][study.duplicated(KEYS)]))
        raise InputError(f"study_500.csv: expected one row a proxy and target; twice: {twice}")
    places = list(zip(study["training"], study["condition"], strict=True))
    if strange := set(places) - set(TITLES):
        raise InputError(f"study_500.csv: expected populations {list(TITLES)}; got {strange}")
    lines = []
    for place, title in TITLES.items():
        rows = study.loc[[there == place for there in places]]
        if len(rows):
            lines += ["", f"### {title}", "", *_section(rows, seconds)]
    return "\n".join(lines)


def _section(rows: pd.DataFrame, seconds: Mapping[str, float]) -> Iterator[str]:
    count = rows["proxy"].nunique()
    condition = rows["condition"].iloc[0]
    chosen = f" with {condition.replace('clean > 0.9', 'clean accuracy above 90 %')}"
    seeds = rows["seeds"].max()
    yield (
        f"{rows['n'].iloc[0]} networks{chosen if condition else ''}, {count} scores, {seeds} "
        f"seed{'s' if seeds > 1 else ''} of weights. In brackets: median seconds a network."
    )
    yield ""
    yield (
        "| to rank | take | params | paths_pool_min | best by structure alone | "
        f"best up to {QUICK} s | best of all |"
    )
    yield f"| --- |{' --- |' * 6}"
    for target, cells in rows.groupby("target", sort=False):
        cells = cells.set_index("proxy")
        yield f"| {Target.parse(str(target))} | {' | '.join(_cells(cells, seconds))} |"


def _cells(cells: pd.DataFrame, seconds: Mapping[str, float]) -> Iterator[str]:
    baselines = {*BASELINES, *(n for n in cells.index if PROXIES[n].group == "baseline")}
    others = [name for name in cells.index if name not in baselines]
    yield _advice(cells, others)
    for name in BASELINES:
        yield _tau(cells, name)
    structural = [name for name in others if PROXIES[name].structural]
    quick = [name for name in others if seconds[name] <= QUICK]
    before = None
    for among in (structural, quick, others):
        best = _best(cells, among)
        told = f"`{best}` {_tau(cells, best)} ({_seconds(seconds[best])})"
        yield "the same" if best == before else told
        before = best


def _best(cells: pd.DataFrame, among: Sequence[str]) -> str:
    sizes = {name: abs(float(cells.at[name, "tau"])) for name in among}
    return max((name for name in among if sizes[name] == sizes[name]), key=sizes.__getitem__)


def _advice(cells: pd.DataFrame, others: Sequence[str]) -> str:
    """Return the best score if it is surely above both baselines, else the better baseline."""
    best, baseline = _best(cells, others), _best(cells, BASELINES)
    leads = _best(cells, [baseline, best]) == best
    if leads and cells.at[best, HOLM[baseline]] < LEVEL:
        return f"`{best}`"
    return f"`{baseline}`: no lead over it is sure"


def _tau(cells: pd.DataFrame, name: str) -> str:
    tau, error = (float(cells.at[name, column]) for column in ("tau", "standard_error"))
    # A dash if all of these networks have one score; of one piece, however narrow the column.
    return Spelling("−", "\u00a0±\u00a0").signed(tau, error)


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f}\u00a0s" if seconds >= 0.05 else "0\u00a0s"


def read() -> str:
    """Return the tables of the study as it is kept."""
    seconds = read_scores(STUDY_500).groupby("proxy")["seconds"].median().to_dict()
    return tables(pd.read_csv(DOCS / "study_500.csv"), seconds)


def main() -> None:
    """Write the tables between the marks of the page."""
    write_between(DOCS / "which_proxy.md", read())


if __name__ == "__main__":
    main()
