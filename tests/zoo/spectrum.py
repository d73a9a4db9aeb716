"""The ends of the spectrum of a Hessian, of which only differences of the gradient are known.

The operator is v ↦ (g(x + h v) − g(x − h v)) / 2h with ‖v‖ = 1, and ARPACK finds its ends. Only
first derivatives are asked of PyTorch, so that an operation without a right second one cannot
mislead.

A large step h lets ReLUs change sides between x − h v and x + h v, a small one lets rounding in:
about 1e-16 / h of the gradient. The largest of three is taken at which the result can be shown:
each eigenpair is tried once more with steps that no product was made with.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

__all__ = ["OracleError", "Spectra", "ends"]

STEPS = (1e-7, 1e-9, 1e-10)
CHECKS = (0.5, 2.0)  # of the step
PRECISION = 1e-4  # of ARPACK; of the eigenvalues, its square
RESIDUAL = 3e-3  # at most, of an eigenpair tried with the other steps
KRYLOV = 16  # vectors that ARPACK keeps
RESTARTS = 20

Product = Callable[[np.ndarray, float], np.ndarray]  # a vector and the step → H v
Spectra = list[tuple[float, float]]  # the ends, smallest and largest, of each operator


class OracleError(ArithmeticError):
    """The oracle cannot vouch for its own answer."""


def ends(product: Product, size: int) -> tuple[float, float]:
    """Return the smallest and the largest eigenvalue of a symmetric operator."""
    doubts = []
    for step in STEPS:
        try:
            one = _strongest(product, size, step, 0.0)
            # Seen from one end of the spectrum, the other end is the strongest.
            other = _strongest(product, size, step, one)
        except OracleError as doubt:
            doubts.append(f"{doubt} at step {step:.0e}")
        else:
            return min(one, other), max(one, other)
    raise OracleError("; ".join(doubts))


def _strongest(product: Product, size: int, step: float, shift: float) -> float:
    """Return the eigenvalue that is farthest from ``shift``."""

    def shifted(vector: np.ndarray, part: float = 1.0) -> np.ndarray:
        unit = vector.ravel()
        return product(unit, part * step) - shift * unit

    start = np.random.default_rng(0).standard_normal(size)
    image = shifted(start)
    if not image.any():
        return shift
    _compare(image, [shifted(start, part) for part in CHECKS], float(np.linalg.norm(image)))
    operator = LinearOperator((size, size), matvec=shifted, dtype=np.float64)  # type: ignore
    settings: dict[str, Any] = {"v0": start, "tol": PRECISION, "ncv": min(KRYLOV, size)}
    try:
        values, vectors = eigsh(operator, k=1, which="LM", maxiter=RESTARTS, **settings)
    except ArpackNoConvergence as error:
        raise OracleError("ARPACK did not converge") from error
    value, vector = float(values[0]), vectors[:, 0]
    _compare(value * vector, [shifted(vector, part) for part in CHECKS], abs(value))
    return value + shift


def _compare(expected: np.ndarray, found: list[np.ndarray], scale: float) -> None:
    worst = max(float(np.linalg.norm(image - expected)) for image in found) / scale
    if worst > RESIDUAL:
        raise OracleError(f"a kink: products differ by {worst:.0e}")
