"""What a report found, in two or three sentences for the top of its page."""

from collections.abc import Iterator
from typing import Any

from evaluation.ranking.score_columns import BASELINES, STRUCTURE
from evaluation.ranking.table import listed
from evaluation.report.gallery import key_targets
from evaluation.report.names import plain
from evaluation.report.study import ReportNumbers
from evaluation.report.words import bounds, known, records
from testbed.command.numbers import PAGE, p_value

__all__ = ["headline"]

LEVEL = 0.05


def headline(study: ReportNumbers) -> list[str]:
    """Return the finding: what ranks the chief targets best, and whether a proxy beats counting.

    Without scores, it is the range of the accuracies.
    """
    if study.ranking is None:
        return [_range(study, target) for target in key_targets(study)]
    if study.ranking.n < 3:
        return study.ranking.few
    return [*_best(study), *_beaten(study)]


def _range(study: ReportNumbers, target: str) -> str:
    values = study.accuracies[target].dropna()
    return (
        f"Accuracy {plain(target)}: median {values.median():.3f}, from {values.min():.3f} to "
        f"{values.max():.3f}."
    )


def _best(study: ReportNumbers) -> Iterator[str]:
    """Yield the winner of each chief target with its interval and its closest rival."""
    assert study.ranking is not None
    rows = {(row["label"], row["target"]): row for row in records(study.table)}
    for target in key_targets(study):
        winner = study.ranking.winners.get(target)
        if winner is None:
            continue
        row = rows[winner.name, target]
        names = " and ".join((winner.name, *winner.tied))
        what = "Clean accuracy" if target == "clean" else plain(target)
        sentence = f"{what} is ranked best by {names}: τ = {PAGE.signed(known(row, 'tau'))}"
        if (limits := bounds(row)) is not None:
            sentence += f" (95 % interval {PAGE.signed(limits[0])} to {PAGE.signed(limits[1])})"
        if winner.runner_up:
            judged = "significantly" if winner.significant else "not significantly"
            sentence += f", {judged} above {winner.runner_up} (p {p_value(winner.p)}, Holm)"
        yield sentence + "."


def _beaten(study: ReportNumbers) -> Iterator[str]:
    """Yield in how many targets which proxies are better than the number of parameters."""
    proxies = study.table.loc[~study.table["proxy"].isin(list(BASELINES))]
    if proxies["difference_params_holm"].isna().all():
        return
    better: dict[str, int] = {}
    best: dict[str, int] = {}
    for row in records(proxies):
        if _exceeds(row, "params"):
            better[row["label"]] = better.get(row["label"], 0) + 1
            if _exceeds(row, "paths"):
                best[row["label"]] = best.get(row["label"], 0) + 1
    total = len(study.targets)
    if not better:
        yield (
            "No proxy ranks any of the targets significantly better than the number of parameters "
            "does (p < .05, Holm)."
        )
        return
    yield (
        "Significantly better than the number of parameters (p < .05, Holm): "
        f"{_shares(better, total)}."
    )
    if proxies["difference_paths_holm"].isna().all():
        return  # a space without such a baseline
    if best:
        yield f"Significantly better than the structure of paths too: {_shares(best, total)}."
    else:
        yield (
            "No proxy is significantly better in a target than both the number of parameters and "
            f"the structure of paths ({STRUCTURE})."
        )


def _exceeds(row: dict[str, Any], baseline: str) -> bool:
    """Say whether |τ| is significantly above that of a baseline; one that is constant has none."""
    p, gain = (known(row, f"difference_{baseline}{end}") for end in ("_holm", ""))
    return p is not None and gain is not None and p < LEVEL and gain > 0


def _shares(counts: dict[str, int], total: int) -> str:
    order = sorted(counts.items(), key=lambda item: -item[1])
    return listed(f"{label} in {count} of {total} targets" for label, count in order)
