"""The page's tables: proxies in rows, targets in columns, one table for each statistic."""

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from evaluation.ranking.families import MANY, family
from evaluation.ranking.ranking import plus_minus
from evaluation.ranking.score_columns import BASELINES
from evaluation.ranking.target_choice import usual_targets
from evaluation.report.names import plain
from evaluation.report.study import ROOM, ReportNumbers
from evaluation.report.words import known, records, tau_in_words
from testbed.command.numbers import PAGE, general

__all__ = ["Statistic", "main_targets", "shown_targets", "statistics"]

# Columns of a ranking's table that are shown unless they are undefined, and what they are.
TITLES = {
    "tau": "Kendall’s τ-b",
    "spearman": "Spearman’s ρ",
    "weighted_tau": "weighted τ (the best weigh most)",
    "top_precision": "precision of the top 10 %",
    "partial_clean": "partial τ, given clean accuracy",
    "partial_params": "partial τ, given parameters",
    "partial_paths": "partial τ, given paths_pool_min",
    "partial_both": "partial τ, given parameters and paths_pool_min",
    "difference_params": "|τ| minus that of params",
    "difference_paths": "|τ| minus that of paths_pool_min",
}
ERRORS = {
    "tau": "standard_error",
    "partial_clean": "partial_clean_error",
    "partial_params": "partial_params_error",
    "partial_paths": "partial_paths_error",
    "partial_both": "partial_both_error",
    "difference_params": "difference_params_error",
    "difference_paths": "difference_paths_error",
}
# Statistics that are shown for both populations; tau.csv has all.
BESIDE = ("tau", "partial_both", "difference_params", "difference_paths")
LEVEL = 0.05
Cells = dict[tuple[str, str], dict[str, Any]]
SHORT = 20  # targets that are shown at once


@dataclass(frozen=True)
class Cell:
    """A number of the table: sorted by ``value``, shown as ``text``, explained by ``tip``.

    Below it stands ``beside``, the same of the second population.
    """

    value: str
    text: str
    spread: str = ""
    tip: str = ""
    strong: bool = False
    beside: str = ""


@dataclass(frozen=True)
class Row:
    """The row of a proxy, or of a fact of the targets, which has no family."""

    name: str
    cells: list[Cell]
    family: str = ""


@dataclass(frozen=True)
class Column:
    """The heading of a target; ``more`` if its column is shown on demand only."""

    name: str
    more: bool


@dataclass(frozen=True)
class Statistic:
    """One table of the page: rows of proxies, and below them those of facts."""

    name: str
    title: str
    caption: str
    header: list[Column]
    rows: list[Row] = field(repr=False)
    facts: list[Row] = field(repr=False)


def main_targets(targets: list[str]) -> set[str]:
    """Return the targets that stand in a table before all are asked for."""
    return set(usual_targets(targets) if len(targets) > SHORT else targets)


def statistics(study: ReportNumbers) -> list[Statistic]:
    """Return a table for each statistic that the ranking has."""
    if study.ranking is None:
        return []
    # Of two networks, every statistic is ±1 or nothing.
    shown = TITLES if study.ranking.n > 2 else ("tau",)
    tables = [study.table, *([] if study.beside is None else [study.beside.labelled])]
    cells = [_cells(study, table) for table in tables]
    return [_statistic(study, name, cells) for name in shown if study.table[name].notna().any()]


def _cells(study: ReportNumbers, table: pd.DataFrame) -> Cells:
    """Return the rows of a ranking's table by target and label, of the targets that are shown."""
    shown = table.loc[table["target"].isin(shown_targets(study))]
    return {(row["target"], row["label"]): row for row in records(shown)}


def shown_targets(study: ReportNumbers) -> list[str]:
    """Return the targets of the page's tables: all, or with many proxies the chief ones.

    A page of all of them would be too large to open; tau.csv and the explorer have them.
    """
    main = main_targets(study.targets)
    if len(study.labels) * len(study.targets) <= ROOM:
        return study.targets
    return [target for target in study.targets if target in main]


def _statistic(study: ReportNumbers, name: str, tables: list[Cells]) -> Statistic:
    cells, second = tables[0], tables[1] if len(tables) > 1 else {}
    main, targets = main_targets(study.targets), shown_targets(study)
    rows = [
        Row(
            label,
            [_cell(cells[t, label], name, second.get((t, label), {})) for t in targets],
            family(proxy),
        )
        for label, proxy in study.proxies.items()
    ]
    header = [Column(plain(target), target not in main) for target in targets]
    columns = [[cells[target, label] for label in study.labels] for target in targets]
    facts = _facts(columns) if name == "tau" else []
    shown = pd.DataFrame(row for table in tables for row in table.values())
    return Statistic(name, TITLES[name], _caption(study, name, shown), header, rows, facts)


def _facts(columns: list[list[dict[str, Any]]]) -> list[Row]:
    """Return the rows below the table of τ: ceilings, the best of each target, and ties."""
    facts = []
    ceilings = [known(rows[0], "ceiling") for rows in columns]
    if any(ceiling is not None for ceiling in ceilings):
        facts.append(Row("ceiling", [_number(ceiling, 2) for ceiling in ceilings]))
    facts.append(Row("best", [_best(rows) for rows in columns]))
    ties = [(float(rows[0]["tie_fraction"]), rows[0]["ties_flag"]) for rows in columns]
    shares = [Cell(repr(share), f"{share:.0%}" + ("†" if many else "")) for share, many in ties]
    facts.append(Row("pairs tied", shares))
    return facts


def _cell(row: dict[str, Any], name: str, second: dict[str, Any]) -> Cell:
    value, error = known(row, name), known(row, ERRORS.get(name, ""))
    plain_number = _number(value, 3)
    spread = "" if value is None or name not in ERRORS else f"± {_error(error)}"
    better = (
        _significant(row, "difference_params_holm") and (known(row, "difference_params") or 0) > 0
    )
    tip = tau_in_words(row) if name == "tau" else ""
    beside = _beside(second, name) if name in BESIDE else ""
    return Cell(plain_number.value, plain_number.text, spread, tip, better, beside)


def _beside(row: dict[str, Any], name: str) -> str:
    """Return a number of the second population; "" without one."""
    if not row:
        return ""
    value, error = known(row, name), known(row, ERRORS.get(name, ""))
    spread = "" if value is None or name not in ERRORS else f" ± {_error(error)}"
    return PAGE.signed(value, digits=3) + spread


def _best(rows: list[dict[str, Any]]) -> Cell:
    """Return the score of the largest |τ|, with a star if it significantly beats every rival."""
    for row in rows:
        if row["winner"]:
            p = known(row, "winner_holm")
            beaten = f"p = {general(p, 2)} against the closest rival, after Holm"
            tip = "no rival" if p is None else beaten
            star = "*" if _significant(row, "winner_holm") else ""
            return Cell(row["label"], f"{row['label']}{star}", tip=f"{row['label']}: {tip}")
    return Cell("", "–")


def _error(error: float | None) -> str:
    return "?" if error is None else PAGE.unsigned(error)  # of two networks there is none


def _significant(row: dict[str, Any], p: str) -> bool:
    value = known(row, p)
    return value is not None and value < LEVEL


def _number(value: float | None, digits: int) -> Cell:
    return Cell("" if value is None else f"{value:.5g}", PAGE.signed(value, digits=digits))


def _caption(study: ReportNumbers, name: str, shown: pd.DataFrame) -> str:
    """Return what stands above a table whose numbers are those of the rows ``shown``."""
    assert study.ranking is not None
    parts = [f"{TITLES[name]}; n = {study.ranking.population}; accuracies on {study.dataset}."]
    if study.truth:
        parts.append(study.truth)
    if study.beside is not None and name in BESIDE:
        parts.append(f"Below each number stands that of {study.beside.population}.")
    if name in ERRORS:
        parts.append(f"{plus_minus(shown, name, ERRORS[name])}.")
    if name == "tau":
        parts.append("A positive τ means that a larger score goes with a more robust network.")
        if study.table["ties_flag"].any():
            parts.append("† more than half of all pairs of networks are tied.")
        parts.append(
            "* significantly above every score that ranks otherwise (p < .05, Holm over the table)."
        )
    if len(study.labels) > MANY:
        parts.append("By family, the largest mean |τ| over the usual targets first.")
    if len(shown_targets(study)) < len(study.targets):
        parts.append(f"tau.csv has all {len(study.targets)} targets.")
    if study.table["difference_params_holm"].notna().any():
        parts.append(
            "Shaded: significantly further from 0 than params (p < .05, Holm over all comparisons)."
        )
    there = [name for name in BASELINES if name in study.proxies.values()]
    are = "are baselines" if len(there) > 1 else "is a baseline"
    baselines = f"; {', '.join(there)} {are}" if there else ""
    return " ".join([*parts, f"ε in units of 1/255{baselines}."])
