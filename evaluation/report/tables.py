"""The report's numbers as CSV and LaTeX files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from evaluation.ranking.families import MANY, family
from evaluation.ranking.ranking import plus_minus
from evaluation.report import latex
from evaluation.report.figures.boxes import box
from evaluation.report.names import plain
from evaluation.report.statistics import main_targets
from evaluation.report.study import ReportNumbers
from evaluation.report.words import known, records
from testbed.command.numbers import LATEX
from testbed.files.formulas import defused
from testbed.files.replacing import replacing

__all__ = ["csv_tables", "latex_tables", "write_tables"]

# As many targets as fit the width of a page, ± included.
IN_PRINT = ("clean", "fgsm@1", "pgd@1", "apgd@1", "square@1", "mean adversarial", "mean corruption")
_SHOWN = ("target", "label", "tau", "standard_error", "ceiling", "ties_flag")
ON_A_PAGE = 20  # proxies, in two rows each


def csv_tables(study: ReportNumbers) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the names of the files, without ``.csv``, and their tables."""
    boxes = {name: box(study.accuracies[name]) for name in study.targets}
    yield "accuracies", pd.DataFrame(boxes).T.rename_axis("target").reset_index()
    if len(study.agreement):
        yield "agreement", study.agreement
    if study.section33 is not None:
        means = study.section33.reset_index()
        yield "section33", means.assign(network=list(map(study.roster.name, means["id"])))
    if study.ranking is not None:
        yield "tau", study.ranking.whole_table
        yield "proxy_pairs", study.pairs
        yield "networks", _networks(study)
        seconds = pd.Series(study.seconds, name="seconds", dtype="float64")
        yield "cost", seconds.rename_axis("label").reset_index()


def _networks(study: ReportNumbers) -> pd.DataFrame:
    """Return the scores and accuracies of each ranked network, what scatter plots show."""
    ids = study.values.index
    names = {"id": ids, "network": list(map(study.roster.name, ids.to_list()))}
    scores = study.values.add_prefix("score: ").reset_index(drop=True)
    accuracies = study.accuracies.loc[ids].add_prefix("accuracy: ").reset_index(drop=True)
    return pd.concat([pd.DataFrame(names), scores, accuracies], axis="columns")


def latex_tables(study: ReportNumbers) -> Iterator[tuple[str, str]]:
    """Yield the names of the LaTeX files, without ``.tex``, and their texts."""
    if study.ranking is None:
        return
    main = main_targets(study.targets)
    some = [target for target in study.targets if target in main]
    first = [target for target in IN_PRINT if target in some] or some[: len(IN_PRINT)]
    yield "tau", _tau(study, first, "tau", long=len(study.labels) > ON_A_PAGE)
    blocks = range(0, len(study.targets), len(IN_PRINT))
    parts = [study.targets[start : start + len(IN_PRINT)] for start in blocks]
    tables = (_tau(study, part, f"tau-all-{k + 1}", long=True) for k, part in enumerate(parts))
    yield "tau_all", "\n".join(tables)


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


def _cells(table: pd.DataFrame, targets: list[str]) -> dict[tuple[str, str], dict[str, Any]]:
    some = table.loc[table["target"].isin(targets), [*_SHOWN]]
    return {(row["target"], row["label"]): row for row in records(some)}


def _tau(study: ReportNumbers, targets: list[str], name: str, long: bool) -> str:
    """Return the table of τ: a row for each proxy and population, a column for each target."""
    assert study.ranking is not None
    cells = [_cells(one.labelled, targets) for one in study.ranking.populations]
    in_print = pd.DataFrame(row for table in cells for row in table.values())
    rows, group = [], ""
    for label, proxy in study.proxies.items():
        many = len(study.labels) > MANY and group != family(proxy)
        group = family(proxy)
        if many:
            rows.append([rf"\emph{{{latex.escape(group)}}}", *[""] * len(targets)])
        for place, table in enumerate(cells):
            shown = latex.escape(label if place == 0 else "–")
            rows.append([shown, *(_cell(table.get((target, label), {})) for target in targets)])
    first = [cells[0][target, study.labels[0]] for target in targets]
    if study.table["ceiling"].notna().any():
        ceilings = (LATEX.signed(known(row, "ceiling"), digits=2) for row in first)
        rows.append(["ceiling", *ceilings])
    header = ["proxy"]
    for target, row in zip(targets, first, strict=True):
        header.append(latex.escape(plain(target) + ("†" if row["ties_flag"] else "")))
    beside = (
        "" if study.beside is None else f" Second row of each proxy: {study.beside.population}."
    )
    caption = (
        f"Kendall’s τ-b of scores with accuracies on {study.dataset}; "
        f"n = {study.ranking.population}.{beside} {study.truth} {plus_minus(in_print)}. ε in units "
        "of 1/255. A positive τ means that a larger score goes with a more robust network. † more "
        "than half of all pairs are tied."
    )
    return latex.table(header, rows, caption, f"tab:{name}", long)
