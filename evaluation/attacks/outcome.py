"""What an evaluation says of every image, at one ε; parts of a batch can be joined."""

from dataclasses import dataclass, field, fields

import torch
from torch import Tensor

from evaluation.attacks.judge import Verdict

__all__ = ["Level", "count_confusion"]


@dataclass
class Level:
    """The outcome at one ε.

    Attributes:
        epsilon: in units of 1/255.
        robust: (N,) bool, correct both clean and attacked.
        prediction: (N,) the class of the attacked image.
        label_confidence: (N,) float64, the softmax probability of the true class.
        prediction_confidence: (N,) of the predicted class.
        images: (N, C, H, W), the attacked images.
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
    images: Tensor
    seconds: float = 0.0
    gradients: int = 0
    queries: int = 0
    counts: dict[str, int] = field(default_factory=dict)

    @staticmethod
    def of(epsilon: float, verdict: Verdict, labels: Tensor) -> "Level":
        """Return the outcome that a verdict gives; its cost is not known yet."""
        top = verdict.probabilities.max(1)
        chosen = verdict.probabilities.gather(1, labels[:, None])[:, 0]
        counts = {
            "outside": verdict.outside, "not finite": verdict.broken, "returned": verdict.returned
        }  # fmt: skip
        return Level(
            epsilon, verdict.robust, top.indices, chosen, top.values, verdict.images, counts=counts
        )

    @staticmethod
    def join(parts: list["Level"]) -> "Level":
        """Return the outcome over the images of all parts, in their order."""
        values = {}
        for entry in fields(Level):
            column = [getattr(part, entry.name) for part in parts]
            if isinstance(column[0], Tensor):
                values[entry.name] = torch.cat(column)
            elif entry.name == "counts":
                names = dict.fromkeys(name for counts in column for name in counts)
                values["counts"] = {n: sum(c.get(n, 0) for c in column) for n in names}
            elif entry.name == "epsilon":
                values["epsilon"] = column[0]
            else:
                values[entry.name] = sum(column)
        return Level(**values)


def count_confusion(labels: Tensor, prediction: Tensor, classes: int) -> list[list[int]]:
    """Return how often each true class (row) was predicted as each class (column), (K, K)."""
    cells = torch.bincount(labels * classes + prediction, minlength=classes * classes)
    return cells.view(classes, classes).tolist()
