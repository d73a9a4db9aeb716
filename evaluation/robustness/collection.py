"""Parts of a measure become rows of the store, once all of them are there."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from evaluation.attacks import Level
from evaluation.attacks.outcome import count_confusion
from evaluation.attacks.sanity import count_warnings, grid_warnings
from evaluation.robustness.measurement import Measurement, Part, Piece
from testbed.store import RobustnessKey, RobustnessRow

__all__ = ["Collection"]


class Collection:
    """The parts that have arrived; a whole measure is handed out and forgotten."""

    def __init__(self, measurement: Measurement) -> None:
        self.measurement = measurement
        self.parts: dict[tuple, dict[int, Part]] = {}

    def add(self, piece: Piece, part: Part) -> list[RobustnessRow]:
        """Return the rows of the piece's measure if this part was its last one, else none."""
        there = self.parts.setdefault(piece.whole, {})
        there[piece.start] = part
        size, step = len(self.measurement.labels), self.measurement.batch_size
        if len(there) < -(-size // step):
            return []
        del self.parts[piece.whole]
        return list(self._rows(piece, [there[start] for start in sorted(there)]))

    def _rows(self, piece: Piece, parts: list[Part]) -> Iterator[RobustnessRow]:
        measure = piece.measure
        levels = [
            Level.join(list(column)) for column in zip(*(p.levels for p in parts), strict=True)
        ]
        warnings = parts[0].warnings
        if measure.attack is not None:
            correct = torch.cat([part.correct for part in parts])
            warnings = warnings + grid_warnings(measure.attack, levels, correct)
        else:
            warnings = warnings + count_warnings(levels)
        (keys,) = self.measurement.keys(piece.network, piece.seed, [measure])
        for key, level in zip(keys, levels, strict=True):
            yield self._row(key, level, warnings, measure.attack is not None)

    def _row(
        self, key: RobustnessKey, level: Level, warnings: list[str], attacked: bool
    ) -> RobustnessRow:
        # Where attacks stop early, confidences and confusions depend on when they stopped.
        whole = not attacked or self.measurement.mode == "record"
        labels, classes = self.measurement.labels, self.measurement.classes
        return RobustnessRow(
            key,
            robust=level.robust.tolist(),
            confidence_label=_mean(level.label_confidence) if whole else None,
            confidence_prediction=_mean(level.prediction_confidence) if whole else None,
            confusion=count_confusion(labels, level.prediction, classes) if whole else None,
            seconds=level.seconds,
            gradients=level.gradients,
            queries=level.queries,
            warnings=warnings,
            details=level.counts,
        )


def _mean(confidences: Tensor) -> float | None:
    """Return the mean; None where an image has none, since logits were not finite numbers."""
    mean = float(confidences.mean())
    return mean if math.isfinite(mean) else None
