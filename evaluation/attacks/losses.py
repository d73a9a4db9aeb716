"""The losses that attacks make large, one value an image."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy as torch_cross_entropy

from evaluation.attacks.victim import Loss
from testbed.basis.errors import InputError

__all__ = ["cross_entropy", "dlr", "margin", "target_gap", "targeted_dlr"]

SMALLEST = 1e-12


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return −log softmax(logits) at the label, (N,)."""
    return torch_cross_entropy(logits, labels, reduction="none")


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the logit of the label minus the largest other one, (N,): ≤ 0 once misclassified."""
    chosen = labels[:, None]
    others = logits.scatter(1, chosen, -torch.inf).amax(1)
    return logits.gather(1, chosen)[:, 0] - others


def dlr(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the difference of logits ratio, (N,).

    −(z_y − max_{i≠y} z_i) / (z_π1 − z_π3), with π the descending order of the logits:
    invariant to shifts and scales of the logits. Croce and Hein, ICML 2020, equation 6.

    Raises:
        ValueError: if there are fewer than 3 classes.
    """
    _require(logits, 3, "DLR")
    top = logits.topk(3, 1).values
    return -margin(logits, labels) / (top[:, 0] - top[:, 2] + SMALLEST)


def target_gap(targets: Tensor) -> Loss:
    """Return the loss z_target − z_label, (N,): zero on the boundary between the two."""

    def gap(logits: Tensor, labels: Tensor) -> Tensor:
        return (logits.gather(1, targets[:, None]) - logits.gather(1, labels[:, None]))[:, 0]

    return gap


def targeted_dlr(targets: Tensor) -> Loss:
    """Return the targeted DLR loss for one target class of each image, (N,).

    −(z_y − z_t) / (z_π1 − (z_π3 + z_π4)/2). Croce and Hein, ICML 2020, equation 7.
    The loss raises ValueError if there are fewer than 4 classes.
    """
    gap = target_gap(targets)

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        _require(logits, 4, "targeted DLR")
        top = logits.topk(4, 1).values
        return gap(logits, labels) / (top[:, 0] - (top[:, 2] + top[:, 3]) / 2 + SMALLEST)

    return loss


def _require(logits: Tensor, classes: int, name: str) -> None:
    if logits.shape[1] < classes:
        raise InputError(
            f"the {name} loss compares {classes} logits and the network has {logits.shape[1]} "
            "classes: use the cross-entropy variant of this attack"
        )
