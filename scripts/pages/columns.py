"""The columns of tables that others write: of accuracies, and of scores."""

from evaluation.truths.columns import CALLED
from scripts.pages.store import attributes
from testbed.store import ScoreKey, ScoreRow
from testbed.store.columns import NEEDED
from testbed.store.schema import TABLES

__all__ = ["accuracy_columns", "score_columns"]

_MEANINGS = {
    "network": "an architecture string or a published id of a known space, or any name",
    "target": "`FGSM@1`, `PGD@0.5 (ℓ2)`, `fog@3`, `clean`; instead of the next three",
    "attack": "the attack or corruption; `clean` or nothing for clean images",
    "norm": "of the attack: `Linf` or `L2`",
    "level": "ε in units of 1/255, or the severity from 1 to 5",
    "accuracy": "percent or fractions, one unit for the file: its largest value decides",
    "percent": "the accuracy in percent, where the largest cannot decide",
    "fraction": "the accuracy as a fraction, where the largest cannot decide",
    "seed": "of the training",
    "dataset": "of the accuracies",
    "training": "`normal`, `PGD@8`, …",
}


def accuracy_columns() -> str:
    """Return the columns of a table of accuracies, with the names that each may have."""
    rows = [
        f"| {', '.join(f'`{name}`' for name in names)} | {_MEANINGS[meaning]} |"
        for meaning, names in CALLED.items()
    ]
    return "\n".join(["| called | what |", "| --- | --- |", *rows])


def score_columns() -> str:
    """Return the columns of a table of scores, and which of them may be left out."""
    table = TABLES["scores"]
    told = attributes(ScoreKey) | attributes(ScoreRow)
    rows = [
        f"| `{one.name}` | {one.kind} | {'yes' if one.default is NEEDED else 'no'} | "
        f"{told.get(one.name, 'the run that found it')} |"
        for one in table.columns
        if one.name not in table.hidden
    ]
    return "\n".join(["| column | type | needed | what |", "| --- | --- | --- | --- |", *rows])
