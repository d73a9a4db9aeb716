"""The report's numbers as CSV and LaTeX files."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from evaluation.report import latex
from evaluation.report.figures.boxes import box
from evaluation.report.names import plain
from evaluation.report.statistics import main_targets
from evaluation.report.study import ReportNumbers
from evaluation.report.words import known
from testbed.command.numbers import LATEX
from testbed.files.formulas import defused
from testbed.files.replacing import replacing
from testbed.spaces.nasbench201.genotype import Genotype

__all__ = ["csv_tables", "latex_tables", "write_tables"]


def csv_tables(study: ReportNumbers) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the names of the files, without ``.csv``, and their tables."""
    boxes = {name: box(study.accuracies[name]) for name in study.targets}
    yield "accuracies", pd.DataFrame(boxes).T.rename_axis("target").reset_index()
    if len(study.agreement):
        yield "agreement", study.agreement
    if study.section33 is not None:
        means = study.section33.reset_index()
        yield "section33", means.assign(network=[str(Genotype.from_index(i)) for i in means["id"]])
    if study.ranking is not None:
        yield "tau", study.table
        yield "proxy_pairs", study.pairs
        yield "networks", _networks(study)
        seconds = pd.Series(study.seconds, name="seconds", dtype="float64")
        yield "cost", seconds.rename_axis("label").reset_index()


def _networks(study: ReportNumbers) -> pd.DataFrame:
    """Return the scores and accuracies of each ranked network, what scatter plots show."""
    ids = study.values.index
    names = {"id": ids, "network": [str(Genotype.from_index(i)) for i in ids.to_list()]}
    scores = study.values.add_prefix("score: ").reset_index(drop=True)
    accuracies = study.accuracies.loc[ids].add_prefix("accuracy: ").reset_index(drop=True)
    return pd.concat([pd.DataFrame(names), scores, accuracies], axis="columns")


def latex_tables(study: ReportNumbers) -> Iterator[tuple[str, str]]:
    """Yield the names of the LaTeX files, without ``.tex``, and their texts."""
    if study.ranking is None:
        return
    main = main_targets(study.targets)
    some = [target for target in study.targets if target in main]
    yield "tau", _tau(study, some, "tau", long=False)
    yield "tau_all", _tau(study, study.targets, "tau-all", long=True)


def write_tables(study: ReportNumbers, folder: Path) -> list[Path]:
    """Write all tables into a folder, each file replaced as a whole, and return their paths."""
    written = []
    for name, table in csv_tables(study):
        written.append(folder / f"{name}.csv")
        with replacing(written[-1]) as temporary:
            defused(table).to_csv(temporary, index=False)
    for name, text in latex_tables(study):
        written.append(folder / f"{name}.tex")
        with replacing(written[-1]) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return written


def _cell(row: dict) -> str:
    tau, error = known(row, "tau"), known(row, "standard_error")
    bare = tau is not None and error is None  # of two networks there is no error
    return f"$ {LATEX.signed(tau).strip('$')} \\pm ? $" if bare else LATEX.signed(tau, error)


def _tau(study: ReportNumbers, targets: list[str], name: str, long: bool) -> str:
    cells = study.table.set_index(["target", "label"]).to_dict("index")
    ceiling = bool(study.table["ceiling"].notna().any())
    rows = []
    for target in targets:
        found = [cells[target, label] for label in study.labels]
        row = [latex.escape(plain(target) + ("†" if found[0]["ties_flag"] else ""))]
        row += [_cell(one) for one in found]
        row += [LATEX.signed(known(found[0], "ceiling"), digits=2)] if ceiling else []
        rows.append(row)
    header = ["target", *map(latex.escape, study.labels), *(["ceiling"] if ceiling else [])]
    assert study.ranking is not None
    caption = (
        f"Kendall’s τ-b ± one standard error of scores with accuracies on {study.dataset}; "
        f"n = {study.ranking.population}. ε in units of 1/255. A positive τ means that a larger "
        "score goes with a more robust network. † more than half of all pairs are tied."
    )
    return latex.table(header, rows, caption, f"tab:{name}", long)
