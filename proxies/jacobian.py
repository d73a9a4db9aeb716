"""The Frobenius norm of the input-output Jacobian, averaged over the batch.

J_i = ∂ logits / ∂ image_i, (K, D), with pixels in [0, 1]. A small norm bounds
how far a small perturbation moves the logits.

Hoffman, Roberts and Yaida, "Robust Learning with Jacobian Regularization", 2019.
"""

import torch
from torch import Tensor

from proxies.operators import projected_jacobian
from proxies.probe import Probe, Score

__all__ = ["jacobian_norm", "jacobian_projection"]


def jacobian_norm(probe: Probe) -> Score:
    """Return the exact norm: mean over the batch of ‖J_i‖_F = √tr(J_i J_iᵀ)."""
    _, gram = probe.gram
    return Score.mean_of(gram.diagonal(dim1=1, dim2=2).sum(1).sqrt())


def jacobian_projection(probe: Probe, *, projections: int = 1) -> Score:
    """Return Hoffman's estimate from random unit vectors u in logit space.

    ‖J‖²_F = K · E‖uᵀJ‖² (equation 8). Each sample draws its own vectors, orthonormal in
    groups of K where Hoffman draws them independently: the estimate of ‖J‖² stays
    unbiased, has less variance, and is exact at ``projections`` = K. The score is the
    batch mean of its square root, which for few projections lies a little low.
    """
    if projections < 1:
        raise ValueError(f"expected at least one projection; got {projections}")
    classes = _classes(probe)
    directions = _directions(probe, projections, classes)  # (P, B, K)
    squares, first = [], 0
    for images in probe.parts():
        part = directions[:, first : first + len(images)]
        first += len(images)
        rows = projected_jacobian(probe.frozen, images, part)
        squares.append(rows.double().square().sum((0, 2)).cpu())
    return Score.mean_of((torch.cat(squares) * classes / projections).sqrt())


def _classes(probe: Probe) -> int:
    with torch.no_grad():
        images = probe.images if probe.batch_norm == "batch" else probe.images[:1]
        return probe.frozen(images).shape[1]


def _directions(probe: Probe, projections: int, classes: int) -> Tensor:
    source = probe.generator("projection", projections)
    groups = -(-projections // classes)
    shape = (groups, len(probe.images), classes, classes)
    frames, _ = torch.linalg.qr(torch.randn(shape, generator=source, dtype=torch.float64))
    return frames.movedim(3, 1).flatten(0, 1)[:projections].to(probe.images)
