"""The judge of proposals: only a fresh forward pass of the network itself counts.

A proposal is cut to the ball and the box; what is not finite counts as the clean image.
An image is robust if the network classifies it correctly both clean and attacked. Logits that
are not finite numbers name no class: the image is wrong.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from evaluation.attacks.norms import ball
from evaluation.attacks.victim import LEAST_ROWS, pad
from testbed.networks.memory import in_parts

__all__ = ["NO_CLASS", "SLACK", "Verdict", "classes_of", "judge", "predict"]

SLACK = 1e-6  # what rounding may add to a norm
NO_CLASS = -1  # the prediction of a network whose logits are not finite numbers


@dataclass(frozen=True)
class Verdict:
    """What the network says of the attacked images.

    Attributes:
        images: (N, C, H, W), the images that were judged.
        probabilities: (N, K), float64, the softmax.
        robust: (N,) bool.
        outside: proposals that left the ball or the box, and were cut.
        broken: proposals that were not finite, and were dropped.
        returned: images wrong when clean that the proposal got right; the clean image was
            judged instead, so they count as not robust.
    """

    images: Tensor
    probabilities: Tensor
    robust: Tensor
    outside: int
    broken: int
    returned: int


def predict(network: nn.Module, images: Tensor, batch_size: int) -> Tensor:
    """Return the softmax (N, K), float64, of images, in batches of a size that memory allows."""

    def predicted(rows: slice) -> Tensor:
        part = images[rows]
        # A copy, since a network may write into what it is given.
        given = pad(part).clone(memory_format=torch.contiguous_format)
        return network(given)[: len(part)].double().softmax(1)

    with torch.no_grad():
        return torch.cat(list(in_parts(len(images), batch_size, predicted, LEAST_ROWS)))


def classes_of(probabilities: Tensor) -> Tensor:
    """Return the predicted class of each row (N, K), `NO_CLASS` where there is none, (N,)."""
    known = probabilities.isfinite().all(1)
    return torch.where(known, probabilities.argmax(1), NO_CLASS)


def judge(
    network: nn.Module, clean: Tensor, proposals: Tensor, labels: Tensor, correct: Tensor,
    norm: str, epsilon: float, batch_size: int,
) -> Verdict:  # fmt: skip
    """Return the verdict on proposals (N, C, H, W).

    Args:
        network: in eval mode.
        clean: the clean images, (N, C, H, W).
        proposals: the attacked ones.
        labels: the true classes, (N,).
        correct: whether the clean image is classified correctly, (N,).
        norm: ``Linf`` or ``L2``.
        epsilon: the budget, in units of pixel values.
        batch_size: of the forward passes.
    """
    around = ball(norm, clean, epsilon)
    finite = proposals.flatten(1).isfinite().all(1)
    proposals = torch.where(finite[:, None, None, None], proposals, clean)
    judged = proposals.clamp(0, 1)
    long = around.size(judged - clean) > epsilon + SLACK
    outside = (judged != proposals).flatten(1).any(1) | long
    judged = torch.where(outside[:, None, None, None], around.project(judged), judged)
    probabilities = predict(network, judged, batch_size)
    right = classes_of(probabilities) == labels
    returned = right & ~correct
    if returned.any():
        judged[returned] = clean[returned]
        probabilities[returned] = predict(network, clean[returned], batch_size)
    return Verdict(
        judged, probabilities, right & correct, int(outside.sum()), int((~finite).sum()),
        int(returned.sum()),
    )  # fmt: skip
