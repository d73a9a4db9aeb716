"""How one's own robust accuracies were measured, in a sentence or two."""

import json
from collections.abc import Iterator

import pandas as pd

from evaluation.report.study import ReportNumbers
from evaluation.truths.targets import CLEAN, Target

__all__ = ["measured_sentences"]


def measured_sentences(study: ReportNumbers, table: pd.DataFrame) -> Iterator[str]:
    """Say with what the accuracies were measured, from the rows of a results file.

    Args:
        study: what is reported.
        table: as `testbed.store.read_robustness` returns it, of the study's data set.
    """
    counts = sorted(set(table["count"].dropna().astype(int)))
    images = f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"
    inits = ", ".join(sorted(set(table["init"].dropna())))
    yield (
        f"Robust accuracies of {table['network'].nunique():,} networks ({inits} weights) were "
        f"measured by us on {images} images of {study.dataset}; ε is in units of 1/255."
    )
    attacks = []
    for measure, rows in table.groupby("measure", sort=False):
        target = Target.of_measure(str(measure))
        if not target.is_attack:
            continue
        levels = ", ".join(f"{level:g}" for level in sorted(set(rows["level"].dropna())))
        attacks.append(f"{target} (ε = {levels}{_options(rows)})")
    if attacks:
        yield f"Attacks: {'; '.join(attacks)}."
    others = {Target.of_measure(m) for m in table["measure"]} - {CLEAN}
    corruptions = [str(target) for target in sorted(others) if not target.is_attack]
    if corruptions:
        yield f"Corruptions: {', '.join(corruptions)}."
    doubts = (table["warnings"].ne("[]") | table["cross_warnings"].ne("[]")).mean()
    if doubts:
        yield f"Of these results, {doubts:.0%} carry a warning of the measurement."


def _options(rows: pd.DataFrame) -> str:
    """Return the settings that all rows share and that say how hard the attack tried."""
    settings = [json.loads(text) for text in set(rows["settings"].dropna())]
    shared = {
        name: value
        for name, value in (settings[0] if settings else {}).items()
        if name in ("steps", "restarts", "queries", "step_size", "backend", "mode")
        and all(other.get(name) == value for other in settings)
    }
    return "".join(f", {name.replace('_', ' ')} {value}" for name, value in sorted(shared.items()))
