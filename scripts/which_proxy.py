"""The tables of docs/which_proxy.md: the best proxy by target, budget and population.

    python scripts/which_proxy.py

Every τ is read from docs/study_500.csv, as scripts/study_500.py left it, every second from the
package's scores (`testbed.tables.STUDY_500`): nothing is computed anew, so that the two pages
cannot say two things. Run it after scripts/study_500.py.
"""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from evaluation.truths.targets import Target
from testbed.basis.errors import InputError
from testbed.catalogue.registry import PROXIES
from testbed.store import read_scores
from testbed.tables import STUDY_500

DOCS = Path(__file__).resolve().parents[1] / "docs"
BEGIN, END = "<!-- tables -->", "<!-- end of the tables -->"
BASELINES = ("params", "paths_pool_min")
QUICK = 2  # seconds a network
LEVEL = 0.05
TITLES = {
    ("Trained normally", ""): "You will train normally, and your networks are a mixture",
    ("Trained normally", "clean > 0.9"): "You will train normally, and all of them are accurate",
    ("Trained adversarially", ""): "You will train adversarially",
}
KEYS = ["training", "condition", "target", "proxy"]


def tables(study: pd.DataFrame, seconds: pd.Series) -> str:
    """Return one section a population: the best proxies of each target and budget.

    Args:
        study: the rows of study_500.csv.
        seconds: the median seconds that a network takes, by proxy.

    Raises:
        InputError: if a proxy stands twice under one target.
    """
    study = study.assign(condition=study["condition"].fillna(""))
    if study.duplicated(KEYS).any():
        twice = sorted(study["proxy"][study.duplicated(KEYS)].unique())
        raise InputError(f"study_500.csv: expected one row a proxy and target; twice: {twice}")
    lines = []
    for (training, condition), rows in study.groupby(["training", "condition"], sort=False):
        title = TITLES[training, condition]
        lines += ["", f"### {title}", "", *_section(rows, seconds)]
    return "\n".join(lines)


def _section(rows: pd.DataFrame, seconds: pd.Series) -> Iterator[str]:
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


def _cells(cells: pd.DataFrame, seconds: pd.Series) -> Iterator[str]:
    baselines = {*BASELINES, *(n for n in cells.index if PROXIES[n].group == "baseline")}
    others = cells[~cells.index.isin(baselines)]
    yield _advice(cells, others)
    for name in BASELINES:
        yield _tau(cells.loc[name])
    structural = others[[PROXIES[name].structural for name in others.index]]
    before = None
    for among in (structural, others[[seconds[name] <= QUICK for name in others.index]], others):
        best = among.loc[among["tau"].abs().idxmax()]
        told = f"`{best.name}` {_tau(best)} ({_seconds(seconds[best.name])})"
        yield "the same" if best.name == before else told
        before = best.name


def _advice(cells: pd.DataFrame, others: pd.DataFrame) -> str:
    """Return the best score if it is surely above both baselines, else the better baseline."""
    best = others.loc[others["tau"].abs().idxmax()]
    baseline = cells.loc[list(BASELINES), "tau"].abs().idxmax()
    column = {"params": "difference_params_holm", "paths_pool_min": "difference_paths_holm"}
    if abs(best["tau"]) > abs(cells.loc[baseline, "tau"]) and best[column[baseline]] < LEVEL:
        return f"`{best.name}`"
    return f"`{baseline}`: no lead over it is sure"


def _tau(row: pd.Series) -> str:
    if row["tau"] != row["tau"]:
        return "–"  # one score for all of these networks
    # Of one piece, however narrow the column.
    text = f"{row['tau']:+.3f}\u00a0±\u00a0{row['standard_error']:.3f}"
    return text.replace("0.", ".").replace("-", "−")


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f}\u00a0s" if seconds >= 0.05 else "0\u00a0s"


def read() -> str:
    """Return the tables of the study as it is kept."""
    scores = read_scores(STUDY_500)
    return tables(pd.read_csv(DOCS / "study_500.csv"), scores.groupby("proxy")["seconds"].median())


def main() -> None:
    """Write the tables between the marks of the page."""
    page = DOCS / "which_proxy.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n{read()}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
