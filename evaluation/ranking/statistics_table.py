"""The further statistics of a ranking in print: one table for each target."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
from rich.console import Console
from rich.text import Text

from evaluation.ranking.score_columns import BASELINES, STRUCTURE
from evaluation.ranking.table import Ranking
from evaluation.truths.targets import Target
from testbed.command.numbers import TERMINAL, p_value
from testbed.command.tables import Row, print_table

__all__ = ["print_statistics"]

COLUMNS = (
    "τ-b", "95 %", "ρ", "weighted τ", "top", "given clean", "given params", "given both",
    "− params", "p (Holm)", "− paths", "p (Holm)",
)  # fmt: skip


def print_statistics(ranking: Ranking, console: Console) -> None:
    """Print for each target, and each population, what ``COLUMNS`` names."""
    for target in dict.fromkeys(ranking.table["target"]):
        for one in ranking.populations:
            rows = one.labelled.loc[one.table["target"] == target]
            _print_block(str(target), one.condition, rows, console)
            console.print(Text(_verdict(one, str(target))))
            console.print()
    unknown = _unknown(ranking.whole_table).any()
    for line in (*ranking.truth[:1], *_legend(STRUCTURE in set(ranking.table["proxy"]), unknown)):
        console.print(Text(line))


def _print_block(target: str, condition: str, rows: pd.DataFrame, console: Console) -> None:
    ceiling = rows["ceiling"].iloc[0]
    limit = "" if pd.isna(ceiling) else f", ceiling {TERMINAL.signed(ceiling)}"
    those = f", networks with {condition}" if condition else ""
    heading = str(Target.parse(target)) + those + limit
    lines = []
    for row, doubt in zip(rows.to_dict("records"), _unknown(rows), strict=True):
        others = ("partial_clean", "partial_params", "partial_both")
        numbers = (
            TERMINAL.signed(row["tau"]) + ("±?" if doubt else ""),
            f"{TERMINAL.signed(row['low'])} {TERMINAL.signed(row['high'])}",
            *map(TERMINAL.signed, (row["spearman"], row["weighted_tau"])),
            "–" if pd.isna(row["top_precision"]) else f"{row['top_precision']:.0%}",
            *(TERMINAL.signed(row[name]) for name in others),
            *_lead(row, "params"),
            *_lead(row, "paths"),
        )
        style = "dim" if row["proxy"] in BASELINES else ""
        lines.append(Row(str(row["label"]), numbers, style))
    print_table("proxy", COLUMNS, lines, console, title=heading)


def _lead(row: Mapping[Any, Any], baseline: str) -> tuple[str, str]:
    name = f"difference_{baseline}"
    return TERMINAL.signed(row[name]), p_value(row[f"{name}_holm"])


def _verdict(ranking: Ranking, target: str) -> str:
    winner = ranking.winners.get(target)
    if winner is None:
        return "No score has a τ-b with this target."
    names = " and ".join((winner.name, *winner.tied))
    if not winner.runner_up:
        return f"Largest |τ|: {names}; there is no rival."
    judged = "significantly" if winner.significant else "not significantly"
    return f"Largest |τ|: {names}, {judged} above {winner.runner_up} (p {p_value(winner.p)}, Holm)."


def _unknown(table: pd.DataFrame) -> pd.Series:
    """Say of each τ-b whether it has no standard error."""
    return table["tau"].notna() & table["standard_error"].isna()


def _legend(paths: bool, unknown: bool) -> Iterator[str]:
    yield (
        "ρ is Spearman's. Weighted τ: pairs weigh 1/rank of their networks in the target. Top: "
        "of the target's best 10 %, the share among the score's best 10 % (chance: 10 %), the "
        "score turned around where τ < 0."
    )
    both, minus, of = (
        (f", given both params and {STRUCTURE}", ", − paths", f", of {STRUCTURE}")
        if paths
        else ("", "", "")
    )
    yield (
        f"Given clean, given params{both}: partial τ-b. − params{minus}: |τ| minus that of the "
        f"number of parameters{of}. p: corrected for all comparisons of the table by Holm's method."
    )
    if unknown:
        yield "±?: the standard error of τ-b is unknown, and the interval with it."
    yield "Ceiling: the τ-b of a perfect score, from networks of one function trained separately."
