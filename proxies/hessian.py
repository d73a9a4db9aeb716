"""The top eigenvalue of the loss's Hessian, over the images or over the parameters.

Over the images: H_i is the D × D Hessian of sample i's cross-entropy over its
own pixels; the score is the batch mean of its top eigenvalue. Over the
parameters: H is the P × P Hessian of the batch's mean cross-entropy.

Where the logits are piecewise linear in the image, H_i is exactly the
Gauss-Newton matrix Jᵀ S J, S = diag(p) − p pᵀ, whose non-zero eigenvalues are
those of the K × K matrix S^½ J Jᵀ S^½. It is positive semidefinite, so its
eigenvalue of largest magnitude is its largest.

Mok et al., "AdvRush: Searching for Adversarially Robust Neural Architectures",
ICCV 2021 (input); Yao et al., "PyHessian", 2020 (parameters).
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from proxies.estimators import Eigenvalues, Matvec, lanczos, power_iteration
from proxies.hessian_operators import InputHessian, ParameterHessian
from proxies.probe import Probe, Score

__all__ = ["gauss_newton_input", "hessian_input", "hessian_parameters"]

ESTIMATORS: dict[str, Callable[..., Eigenvalues]] = {
    "lanczos": lanczos,
    "power": power_iteration,
}


def gauss_newton_input(probe: Probe) -> Score:
    """Return the mean top eigenvalue of Jᵀ S J, exactly, from the Jacobian's Gram matrix.

    S = A Aᵀ with A = diag(√p)(I − √p √pᵀ), since √p has length 1 and the bracket is a
    projection; so the K × K matrix Aᵀ (J Jᵀ) A has the wanted spectrum, without a root
    of a nearly singular matrix.
    """
    logits, gram = probe.gram
    root = logits.softmax(1).sqrt()
    identity = torch.eye(root.shape[1], dtype=root.dtype)
    factor = root[:, :, None] * (identity - root[:, :, None] * root[:, None, :])
    top = torch.linalg.eigvalsh(factor.mT @ gram @ factor)[:, -1].clamp(min=0)
    return Score.mean_of(top, method="gauss-newton")


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
        probe: what to score.
        which: ``magnitude`` (signed, of largest magnitude) or ``positive`` (largest).
        method: ``exact`` (the Gauss-Newton form; only where it equals the Hessian),
            ``lanczos``, ``power``, or ``auto``: exact where it holds, else Lanczos.
        tolerance: relative residual at which the estimators stop.
        max_iterations: products at most.
    """
    if method == "auto":
        method = "exact" if probe.piecewise_linear else "lanczos"
    if method == "exact":
        if not probe.piecewise_linear:
            raise ValueError(
                "the exact form of the input Hessian holds for piecewise-linear networks "
                "only; use method 'lanczos', or the proxy gauss_newton_input"
            )
        score = gauss_newton_input(probe)
        return replace(score, details=score.details | {"method": "exact"})
    operator = InputHessian(probe.frozen, probe.images, probe.labels)
    start = _start(probe, "input", operator.shape)
    return _report(_extreme(operator, start, which, method, tolerance, max_iterations), method)


def hessian_parameters(
    probe: Probe,
    *,
    which: str = "magnitude",
    method: str = "lanczos",
    tolerance: float = 1e-3,
    max_iterations: int = 200,
) -> Score:
    """Return an extreme eigenvalue of the batch loss's Hessian over the parameters.

    The options are those of `hessian_input`, without the exact form.
    """
    operator = ParameterHessian(probe.network, probe.images, probe.labels)
    start = _start(probe, "parameters", operator.shape)
    return _report(_extreme(operator, start, which, method, tolerance, max_iterations), method)


def _extreme(
    operator: Matvec, start: Tensor, which: str, method: str, tolerance: float, limit: int
) -> Eigenvalues:
    if method not in ESTIMATORS:
        raise ValueError(f"unknown method {method!r}; expected {', '.join(ESTIMATORS)}")
    return ESTIMATORS[method](operator, start, which, tolerance, limit)


def _start(probe: Probe, words: str, shape: tuple[int, int]) -> Tensor:
    start = torch.randn(shape, generator=probe.generator("hessian", words), dtype=torch.float32)
    return start.to(probe.images)


def _report(found: Eigenvalues, method: str) -> Score:
    missed, count = int((~found.converged).sum()), len(found.converged)
    return replace(
        Score.mean_of(found.values, method=method),
        reason=f"not converged for {missed} of {count} operators" if missed else None,
        converged=missed == 0,
        iterations=found.iterations,
        residual=float(found.residuals.max()),
    )
