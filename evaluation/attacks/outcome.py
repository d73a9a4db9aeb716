"""What an evaluation says of every image, at one ε; parts of a batch can be joined."""

from collections import Counter
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from evaluation.attacks.judge import NO_CLASS, Verdict, classes_of

__all__ = ["Level", "count_confusion"]


@dataclass
class Level:
    """The outcome at one ε.

    Attributes:
        epsilon: in units of 1/255; of a corruption its severity.
        robust: (N,) bool, correct both clean and attacked.
        prediction: (N,) the class of the attacked image; `judge.NO_CLASS` where there is none.
        label_confidence: (N,) float64, the softmax probability of the true class; NaN there.
        prediction_confidence: (N,) of the predicted class.
        images: (N, C, H, W), the attacked images; None once they are given up.
        seconds: wall-clock time.
        gradients: backward passes, in images.
        queries: forward passes of the attack, in images.
        counts: what the judge and the mode noted, by name.
    """

    epsilon: float
    robust: Tensor
    prediction: Tensor
    label_confidence: Tensor
    prediction_confidence: Tensor
    images: Tensor | None
    seconds: float = 0.0
    gradients: int = 0
    queries: int = 0
    counts: dict[str, int] = field(default_factory=dict)

    @staticmethod
    def of(epsilon: float, verdict: Verdict, labels: Tensor) -> "Level":
        """Return the outcome that a verdict gives; its cost is not known yet."""
        level = Level.of_probabilities(epsilon, verdict.probabilities, labels)
        level.robust, level.images = verdict.robust, verdict.images
        level.counts |= {
            "outside": verdict.outside, "not finite": verdict.broken, "returned": verdict.returned
        }  # fmt: skip
        return level

    @staticmethod
    def of_probabilities(epsilon: float, probabilities: Tensor, labels: Tensor) -> "Level":
        """Return the outcome of softmax probabilities (N, K) that no attack had a part in."""
        prediction = classes_of(probabilities)
        chosen = probabilities.gather(1, labels[:, None])[:, 0]
        level = Level(
            epsilon, prediction == labels, prediction, chosen, probabilities.amax(1), None
        )  # fmt: skip
        undefined = int((prediction == NO_CLASS).sum())
        if undefined:
            level.counts["undefined"] = undefined
        return level

    def without_images(self) -> "Level":
        """Return the outcome on the CPU, without the images."""
        return replace(
            self, robust=self.robust.cpu(), prediction=self.prediction.cpu(),
            label_confidence=self.label_confidence.cpu(),
            prediction_confidence=self.prediction_confidence.cpu(), images=None,
        )  # fmt: skip

    @staticmethod
    def join(parts: list["Level"]) -> "Level":
        """Return the outcome over the images of all parts, in their order."""
        images = [part.images for part in parts if part.images is not None]
        counts: Counter[str] = Counter()
        for part in parts:
            counts.update(part.counts)
        return Level(
            parts[0].epsilon,
            torch.cat([part.robust for part in parts]),
            torch.cat([part.prediction for part in parts]),
            torch.cat([part.label_confidence for part in parts]),
            torch.cat([part.prediction_confidence for part in parts]),
            torch.cat(images) if len(images) == len(parts) else None,
            sum(part.seconds for part in parts),
            sum(part.gradients for part in parts),
            sum(part.queries for part in parts),
            dict(counts),
        )


def count_confusion(labels: Tensor, prediction: Tensor, classes: int) -> list[list[int]]:
    """Return how often each true class (row) was predicted as each class (column), (K, K).

    An image whose logits were not finite numbers stands in no column.
    """
    known = prediction != NO_CLASS
    labels, prediction = labels[known], prediction[known]
    cells = torch.bincount(labels * classes + prediction, minlength=classes * classes)
    return cells.view(classes, classes).tolist()
