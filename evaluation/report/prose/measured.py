"""How one's own robust accuracies were measured, in a sentence or two."""

import json
import re
from collections.abc import Iterator

import pandas as pd

from evaluation.ranking.labels import printable
from evaluation.report.study import ReportNumbers
from evaluation.report.words import records
from evaluation.truths.targets import CLEAN, Target
from testbed.spaces.registry import short_name
from testbed.store.robustness import stored_doubts

__all__ = ["is_of", "measured_sentences", "measurement_doubts"]

LEAST = 0.01
KINDS = 12  # of doubts that a page says
LONGEST = 300  # letters of a doubt
_NUMBER = re.compile(r"\d[\d.,]*(e[-+]?\d+)?%?")


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
    doubtful = sum(bool(stored_doubts(row)) for row in records(table)) / len(table)
    if doubtful:
        share = f"{doubtful:.0%}" if doubtful >= LEAST else f"fewer than {LEAST:.0%}"
        yield f"Of these results, {share} carry a warning of the measurement."


def measurement_doubts(table: pd.DataFrame) -> list[str]:
    """Return a sentence for each kind of doubt about measured accuracies, the commonest first.

    Doubts are of one kind if they are of one attack or corruption and differ in numbers only.

    Args:
        table: as `testbed.store.read_robustness` returns it.
    """
    networks: dict[tuple[str, str], dict[str, str]] = {}
    totals: dict[str, int] = {}
    for measure, rows in table.groupby("measure", sort=False):
        title = printable(str(Target.of_measure(str(measure))))
        totals[title] = max(totals.get(title, 0), rows["network"].nunique())
        for row in records(rows):
            for text in stored_doubts(row):
                kind = networks.setdefault((title, _NUMBER.sub("#", text)), {})
                kind.setdefault(str(row["network"]), text)
    ranked = sorted(networks.items(), key=lambda item: -len(item[1]))
    sentences = []
    for (title, _), found in ranked[:KINDS]:
        network, text = next(iter(found.items()))
        count = f"{len(found):,} of {totals[title]:,} networks, such as" if len(found) > 1 else ""
        sentences.append(
            f"Measured by {title} on {count} {_network(network)}: {printable(text, LONGEST)}."
            .replace("  ", " ")
        )  # fmt: skip
    if len(ranked) > KINDS:
        sentences.append(
            f"Of {len(ranked) - KINDS} further kinds of doubt about the measurements, the store "
            "holds the sentences."
        )
    return sentences


def is_of(study: ReportNumbers, table: pd.DataFrame) -> bool:
    """Say whether measured accuracies are those of the truth: they are of all its networks."""
    if not len(table):
        return False
    names = pd.Series(table["network"].astype(str).unique())
    ids = set(study.roster.labels(names).dropna())
    return bool(ids) and ids >= set(study.accuracies.index)


def _network(name: str) -> str:
    return f"network {printable(short_name(name))}"


def _options(rows: pd.DataFrame) -> str:
    """Return the settings that all rows share and that say how hard the attack tried."""
    settings = [json.loads(text) for text in set(rows["settings"].dropna())]
    shared = {
        name: value
        for name, value in (settings[0] if settings else {}).items()
        if name
        in (
            "steps",
            "restarts",
            "queries",
            "step_size",
            "backend",
            "mode",
            "attack_class",
            "attack_version",
        )
        and all(other.get(name) == value for other in settings)
    }
    return "".join(f", {name.replace('_', ' ')} {value}" for name, value in sorted(shared.items()))
