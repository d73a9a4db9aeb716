"""The page's tables: targets in rows, proxies in columns, one table for each statistic."""

from dataclasses import dataclass, field
from typing import Any

from evaluation.ranking.score_columns import BASELINES
from evaluation.ranking.target_choice import DEFAULT_TARGETS
from evaluation.report.names import plain
from evaluation.report.study import ReportNumbers
from evaluation.report.words import known, tau_in_words
from evaluation.truths.targets import Target
from testbed.command.numbers import PAGE, general

__all__ = ["Statistic", "main_targets", "statistics"]

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
LEVEL = 0.05
SHORT = 20  # targets that are shown at once


@dataclass(frozen=True)
class Cell:
    """A number of the table: sorted by ``value``, shown as ``text``, explained by ``tip``."""

    value: str
    text: str
    spread: str = ""
    tip: str = ""
    strong: bool = False


@dataclass(frozen=True)
class Row:
    """The row of a target; ``more`` if it is shown on demand only."""

    name: str
    cells: list[Cell]
    more: bool


@dataclass(frozen=True)
class Statistic:
    """One table of the page."""

    name: str
    title: str
    caption: str
    header: list[str]
    rows: list[Row] = field(repr=False)


def main_targets(targets: list[str]) -> set[str]:
    """Return the targets that stand in a table before all are asked for."""
    some = {t for t in targets if t in DEFAULT_TARGETS or Target.parse(t).level is None}
    return some if len(targets) > SHORT and len(some) > 1 else set(targets)


def statistics(study: ReportNumbers) -> list[Statistic]:
    """Return a table for each statistic that the ranking has."""
    if study.ranking is None:
        return []
    # Of two networks, every statistic is ±1 or nothing.
    shown = TITLES if study.ranking.n > 2 else ("tau",)
    return [_statistic(study, name) for name in shown if study.table[name].notna().any()]


def _statistic(study: ReportNumbers, name: str) -> Statistic:
    cells = study.table.set_index(["target", "label"], drop=False).to_dict("index")
    main = main_targets(study.targets)
    ceiling = name == "tau" and bool(study.table["ceiling"].notna().any())
    header = ["target", *study.labels]
    header += (["ceiling"] if ceiling else []) + (["best", "pairs tied"] if name == "tau" else [])
    rows = []
    for target in study.targets:
        found: list[dict[str, Any]] = [cells[target, label] for label in study.labels]
        shown = [_cell(one, name) for one in found]
        if ceiling:
            shown.append(_number(known(found[0], "ceiling"), 2))
        if name == "tau":
            shown.append(_best(found))
            share = float(found[0]["tie_fraction"])
            shown.append(Cell(repr(share), f"{share:.0%}" + ("†" if found[0]["ties_flag"] else "")))
        rows.append(Row(plain(target), shown, target not in main))
    return Statistic(name, TITLES[name], _caption(study, name), header, rows)


def _cell(row: dict[str, Any], name: str) -> Cell:
    value, error = known(row, name), known(row, ERRORS.get(name, ""))
    plain_number = _number(value, 3)
    spread = "" if value is None or name not in ERRORS else f"± {_error(error)}"
    better = (
        _significant(row, "difference_params_holm") and (known(row, "difference_params") or 0) > 0
    )
    return Cell(plain_number.value, plain_number.text, spread, tau_in_words(row), better)


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
    return Cell("" if value is None else repr(value), PAGE.signed(value, digits=digits))


def _caption(study: ReportNumbers, name: str) -> str:
    assert study.ranking is not None
    parts = [f"{TITLES[name]}; n = {study.ranking.population}; accuracies on {study.dataset}."]
    if name in ERRORS:
        parts.append("± is one standard error.")
    if name == "tau":
        parts.append("A positive τ means that a larger score goes with a more robust network.")
        if study.table["ties_flag"].any():
            parts.append("† more than half of all pairs of networks are tied.")
        parts.append(
            "* significantly above every score that ranks otherwise (p < .05, Holm over the table)."
        )
    if study.table["difference_params_holm"].notna().any():
        parts.append(
            "Shaded: significantly further from 0 than params (p < .05, Holm over all comparisons)."
        )
    return " ".join([*parts, f"ε in units of 1/255; {', '.join(BASELINES)} are baselines."])
