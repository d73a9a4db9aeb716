"""Scores of trained networks that were trained otherwise than those of the truth."""

import json
from collections.abc import Iterable

from evaluation.ranking.labels import IDENTITY, labels, printable
from evaluation.ranking.score_columns import ScoreColumn
from evaluation.truths.facts import Training

__all__ = ["trained_otherwise"]


def trained_otherwise(columns: Iterable[ScoreColumn], training: Training) -> list[str]:
    """Return a sentence for each other training that networks had when they were scored.

    Args:
        columns: the score columns; those of untrained networks, and of networks whose training
            nobody recorded, are no matter.
        training: of the networks of the truth.
    """
    columns, others = list(columns), {}
    for name, column in zip(labels([c.identity for c in columns]), columns, strict=True):
        had = _training(column)
        if had is not None and training.adversarial is not None and had != training:
            others.setdefault(str(had), []).append(printable(name))
    return [
        f"The scores of {', '.join(names)} are of networks that were {had}, not {training}, as "
        "those of the truth."
        for had, names in others.items()
    ]


def _training(column: ScoreColumn) -> Training | None:
    """Return the training that the settings of a score record; None if they record none."""
    settings = column.identity[IDENTITY.index("settings")]
    try:
        facts = json.loads(settings)
    except (ValueError, RecursionError):
        return None
    recorded = isinstance(facts, dict) and isinstance(facts.get("recipe"), dict)
    return Training.of_recipe(facts["recipe"]) if recorded else None
