"""From an operator to a score by its extreme eigenvalues: the code that both Hessians share."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from proxies.conditions import OptionError, UndefinedError
from proxies.estimators import Eigenvalues, lanczos, power_iteration
from proxies.probe import Probe, Score
from proxies.second_order import NoSecondDerivativeError

__all__ = ["DIFFERENCES", "check_method", "extremes", "random_start", "score_of"]

DIFFERENCES = "differences of gradients"
ESTIMATORS: dict[str, Callable[..., Eigenvalues]] = {
    "lanczos": lanczos,
    "power": power_iteration,
}


def check_method(method: str) -> None:
    """Raise OptionError unless the estimator is known."""
    if method not in ESTIMATORS:
        raise OptionError(f"unknown method {method!r}; expected {', '.join(ESTIMATORS)}")


def extremes(
    kinds: Iterable[tuple[str, Callable[[], Any]]],
    start: Tensor | Callable[[tuple[int, int]], Tensor],
    which: str, method: str, tolerance: float, limit: int,
) -> tuple[Eigenvalues, str]:  # fmt: skip
    """Return an extreme eigenvalue by the first operator that this network has, and its name."""
    missing = None
    for how, make in kinds:
        try:
            operator = make()
            vectors = start(operator.shape) if callable(start) else start
            if not vectors.numel():
                raise UndefinedError("no parameter of the network reaches the loss")
            return ESTIMATORS[method](operator, vectors, which, tolerance, limit), how
        except NoSecondDerivativeError as error:
            missing = error
    raise UndefinedError(str(missing))


def random_start(probe: Probe, words: str, shape: tuple[int, int]) -> Tensor:
    """Return a random start of the estimators, of the given shape."""
    start = torch.randn(shape, generator=probe.generator("hessian", words), dtype=torch.float32)
    return start.to(probe.images)


def score_of(parts: Sequence[Eigenvalues], method: str) -> Score:
    """Return the mean eigenvalue over all parts of a batch, and how well it is known."""
    values = torch.cat([part.values for part in parts])
    converged = torch.cat([part.converged for part in parts])
    missed, count = int((~converged).sum()), len(converged)
    lost = int((~values.isfinite()).sum())
    reason = f"not converged for {missed} of {count} operators" if missed else None
    if lost:
        reason = f"the second derivatives are not finite numbers for {lost} of {count} operators"
    return replace(
        Score.mean_of(values, reason, method=method),
        converged=missed == 0,
        iterations=max(part.iterations for part in parts),
        residual=float(torch.cat([part.residuals for part in parts]).max()),
    )
