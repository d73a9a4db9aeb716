"""The top eigenvalue of the loss's Hessian over the images.

H_i is the D × D Hessian of sample i's cross-entropy over its own pixels; the score is the
batch mean of its top eigenvalue.

Where the logits are piecewise linear in the image, H_i is exactly the
Gauss-Newton matrix Jᵀ S J, S = diag(p) − p pᵀ, whose non-zero eigenvalues are
those of the K × K matrix S^½ J Jᵀ S^½. It is positive semidefinite, so its
eigenvalue of largest magnitude is its largest.

Mok et al., "AdvRush: Searching for Adversarially Robust Neural Architectures",
ICCV 2021.
"""

from dataclasses import replace

import torch

from proxies.conditions import OptionError, UndefinedError, require_derivative, require_independence
from proxies.difference_hessian import DifferenceInputHessian
from proxies.estimators import check_limits
from proxies.extremes import DIFFERENCES, check_method, extremes, random_start, score_of
from proxies.hessian_operators import InputHessian
from proxies.jacobian import MASKED
from proxies.probe import Probe, Score

__all__ = ["gauss_newton_input", "hessian_input"]


def gauss_newton_input(probe: Probe) -> Score:
    """Return the mean top eigenvalue of Jᵀ S J, exactly, from the Jacobian's Gram matrix.

    S = A Aᵀ with A = diag(√p)(I − √p √pᵀ), since √p has length 1 and the bracket is a
    projection; so the K × K matrix Aᵀ (J Jᵀ) A has the wanted spectrum, without a root
    of a nearly singular matrix.
    """
    gram = probe.gram
    root = gram.logits.softmax(1).sqrt()
    identity = torch.eye(root.shape[1], dtype=root.dtype)
    factor = root[:, :, None] * (identity - root[:, :, None] * root[:, None, :])
    matrices = factor.mT @ gram.products @ factor
    if not bool(matrices.isfinite().all()):
        raise UndefinedError("the logits or their derivatives are not finite numbers")
    top = torch.linalg.eigvalsh(matrices)[:, -1].clamp(min=0)
    return Score.mean_of(top, MASKED if gram.masked else None, method="gauss-newton")


def hessian_input(
    probe: Probe,
    *,
    which: str = "magnitude",
    method: str = "auto",
    tolerance: float = 1e-3,
    max_iterations: int = 200,
) -> Score:
    """Return the batch mean of each sample's extreme eigenvalue over its pixels.

    Args:
        probe: the network and its batch.
        which: ``magnitude`` for the eigenvalue of largest magnitude, with its sign, or
            ``positive`` for the largest one.
        method: ``exact`` (the Gauss-Newton form; only where it equals the Hessian),
            ``lanczos``, ``power``, or ``auto``: exact where it holds, else Lanczos.
        tolerance: the relative residual at which the estimators stop.
        max_iterations: the largest number of products with the Hessian.
    """
    if method not in ("auto", "exact"):
        check_method(method)
    check_limits(which, tolerance, max_iterations)
    if method == "auto":
        method = "exact" if probe.piecewise_linear else "lanczos"
    if method == "exact":
        if not probe.piecewise_linear:
            raise OptionError(
                "the exact form of the input Hessian holds for piecewise-linear networks "
                "only; use method 'lanczos', or the proxy gauss_newton_input"
            )
        score = gauss_newton_input(probe)
        return replace(score, details=score.details | {"method": "exact"})
    require_derivative(probe)
    require_independence(probe)
    rows = probe.images[0].numel()
    start, found, first = random_start(probe, "input", (len(probe.images), rows)), [], 0
    # Beside the graph of the logits, one of the gradient, and some twenty vectors.
    for images in probe.parts(probe.fast.alone.graph_bytes + 20 * probe.images[0].nbytes):
        part = slice(first, first + len(images))
        first += len(images)
        labels = probe.labels[part]
        kinds = (
            (method, lambda x=images, y=labels: InputHessian(probe.fast.network, x, y)),
            (
                f"{method}, {DIFFERENCES}",
                lambda x=images, y=labels: DifferenceInputHessian(probe.network, x, y),
            ),
        )
        found.append(extremes(kinds, start[part], which, method, tolerance, max_iterations))
    return score_of([eigenvalues for eigenvalues, _ in found], found[0][1])
