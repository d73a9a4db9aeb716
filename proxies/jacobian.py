"""The Frobenius norm of the input-output Jacobian, averaged over the batch.

J_i = ∂ logits / ∂ image_i, (K, D), with pixels in [0, 1]. A small norm bounds
how far a small perturbation moves the logits.

Hoffman, Roberts and Yaida, "Robust Learning with Jacobian Regularization", 2019.
"""

import torch
from torch import Tensor

from proxies.conditions import OptionError, require_derivative, require_independence
from proxies.operators import projected_jacobian
from proxies.probe import Probe, Score

__all__ = ["jacobian_norm", "jacobian_projection"]

MASKED = (
    "every Jacobian is exactly zero although the logits differ between images: a step such as "
    "rounding hides the derivative"
)


def jacobian_norm(probe: Probe) -> Score:
    """Return the exact norm: mean over the batch of ‖J_i‖_F = √tr(J_i J_iᵀ)."""
    gram = probe.gram
    norms = gram.products.diagonal(dim1=1, dim2=2).sum(1).sqrt()
    return Score.mean_of(norms, MASKED if gram.masked else None)


def jacobian_projection(probe: Probe, *, projections: int = 1) -> Score:
    """Return Hoffman's estimate from random unit vectors u in logit space.

    ‖J‖²_F = K · E‖uᵀJ‖² (equation 8). Each sample draws its own vectors, orthonormal in
    groups of K where Hoffman draws them independently: the estimate of ‖J‖² stays
    unbiased, has less variance, and is exact at ``projections`` = K. The score is the
    batch mean of its square root, which for few projections lies a little low.

    In batch-norm mode ``batch``, where row (i, k) of J is the derivative of the sum of all
    samples' logit k over image i, all samples share the vectors, as that definition asks.
    """
    if projections < 1:
        raise OptionError(f"expected at least one projection; got {projections}")
    require_derivative(probe)
    require_independence(probe)
    classes = probe.fast.classes
    directions = _directions(probe, projections, classes)  # (P, B, K)
    squares, first = [], 0
    for images in probe.parts(projections * probe.images[0].nbytes):
        part = directions[:, first : first + len(images)]
        first += len(images)
        rows = projected_jacobian(probe.fast.network, images, part)
        squares.append(rows.double().square().sum((0, 2)).cpu())
    return Score.mean_of((torch.cat(squares) * classes / projections).sqrt())


def _directions(probe: Probe, projections: int, classes: int) -> Tensor:
    source = probe.generator("projection", projections)
    groups, count = -(-projections // classes), len(probe.images)
    shape = (groups, count, classes, classes)
    frames, _ = torch.linalg.qr(torch.randn(shape, generator=source, dtype=torch.float64))
    directions = frames.movedim(3, 1).flatten(0, 1)[:projections].to(probe.images)
    shared = probe.batch_norm == "batch"
    return directions[:, :1].expand(-1, count, -1) if shared else directions
