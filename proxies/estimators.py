"""Extreme eigenvalues of symmetric operators: power iteration and Lanczos.

The estimators know operators, not networks: ``matvec`` maps (N, D) to (N, D)
and applies N independent symmetric D × D operators, one a row, so the spectra
of all samples of a batch are sought at once. Scalars are kept in float64.

``magnitude`` is the signed eigenvalue of largest magnitude, ``positive`` the
largest (algebraic) one. Both stop when the residual ‖Hv − θv‖, which bounds the
distance from θ to an eigenvalue, is at most ``tolerance`` · |θ| in every row.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from proxies.conditions import OptionError

__all__ = ["WHICH", "Eigenvalues", "Matvec", "lanczos", "power_iteration"]

WHICH = ("magnitude", "positive")
Matvec = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Eigenvalues:
    """One extreme eigenvalue for each of N operators.

    Attributes:
        values: (N,) float64.
        residuals: (N,) float64, ‖Hv − θv‖ / |θ| (0 where H v = 0).
        converged: (N,) bool, residual at most the tolerance.
        iterations: products with the operator, shared by all rows.
    """

    values: Tensor
    residuals: Tensor
    converged: Tensor
    iterations: int


def power_iteration(
    matvec: Matvec,
    start: Tensor,
    which: str = "magnitude",
    tolerance: float = 1e-3,
    max_iterations: int = 500,
) -> Eigenvalues:
    """Seek an extreme eigenvalue by repeated multiplication.

    For ``positive``, if the eigenvalue of largest magnitude θ is negative, the operator
    H − θI, whose spectrum is not negative, is iterated next.

    Args:
        matvec: (N, D) → (N, D), row-wise symmetric.
        start: (N, D), a random start.
        which: one of `WHICH`.
        tolerance: of the relative residual.
        max_iterations: products at most, in each of the two phases.
    """
    _check(which, tolerance, max_iterations)
    first = _power(matvec, start, torch.zeros(len(start)), tolerance, max_iterations)
    if which == "magnitude" or not bool((first.values < 0).any()):
        return first
    shift = first.values.clamp(max=0)
    second = _power(matvec, start, shift, tolerance, max_iterations)
    negative = first.values < 0
    return Eigenvalues(
        torch.where(negative, second.values, first.values),
        torch.where(negative, second.residuals, first.residuals),
        torch.where(negative, second.converged, first.converged),
        first.iterations + second.iterations,
    )


def _power(
    matvec: Matvec, start: Tensor, shift: Tensor, tolerance: float, max_iterations: int
) -> Eigenvalues:
    """Iterate H − shift·I; the values and residuals returned are those of H."""
    vector, _ = _normalise(start)
    offset = shift.to(start)[:, None]
    values, residuals = torch.zeros(len(start)).double(), torch.zeros(len(start)).double()
    products = 0
    while products < max_iterations:
        products += 1
        product = matvec(vector)
        values = _dot(vector, product)
        residuals = _norm(product - values.to(product)[:, None] * vector)
        if bool((residuals <= tolerance * values.abs()).all()):
            break
        vector, _ = _normalise(product - offset * vector)
    return _report(values, residuals, tolerance, products)


def lanczos(
    matvec: Matvec,
    start: Tensor,
    which: str = "magnitude",
    tolerance: float = 1e-3,
    max_iterations: int = 100,
) -> Eigenvalues:
    """Seek an extreme eigenvalue in the Krylov space of a random start.

    Every basis vector is orthogonalised against all earlier ones, twice, so no spurious
    copies appear (Parlett, "The Symmetric Eigenvalue Problem", 1998, chapter 13). A row
    whose Krylov space is exhausted has its exact answer and waits for the others.

    Args:
        matvec: (N, D) → (N, D), row-wise symmetric.
        start: (N, D), a random start.
        which: one of `WHICH`.
        tolerance: of the relative residual.
        max_iterations: products at most.
    """
    _check(which, tolerance, max_iterations)
    rows, dimension = start.shape
    limit = min(max_iterations, dimension)
    basis = start.new_empty((limit, rows, dimension))
    diagonal, off_diagonal = torch.zeros(rows, limit).double(), torch.zeros(rows, limit).double()
    vector, _ = _normalise(start)
    alive = torch.ones(rows, dtype=torch.bool)
    values = residuals = torch.zeros(rows).double()
    step = 0
    for step in range(limit):
        basis[step] = vector
        product = matvec(vector)
        # An exhausted row gets its first Rayleigh quotient, which is never an extreme.
        alpha = _dot(vector, product)
        diagonal[:, step] = torch.where(alive, alpha, diagonal[:, 0])
        vector, beta = _normalise(_orthogonalise(product, basis[: step + 1]))
        alive &= beta > _rounding(start) * _scale(diagonal, off_diagonal, step)
        vector = vector * alive.to(vector)[:, None]
        off_diagonal[:, step] = torch.where(alive, beta, 0.0)
        values, residuals = _ritz(diagonal, off_diagonal, step + 1, which)
        if bool((residuals <= tolerance * values.abs()).all()):
            break
    return _report(values, residuals, tolerance, step + 1)


def _orthogonalise(vector: Tensor, basis: Tensor) -> Tensor:
    for _ in range(2):
        overlap = torch.einsum("knd,nd->kn", basis, vector)
        vector = vector - torch.einsum("kn,knd->nd", overlap, basis)
    return vector


def _ritz(diagonal: Tensor, off_diagonal: Tensor, size: int, which: str) -> tuple[Tensor, Tensor]:
    """Return the wanted Ritz value of each row and its residual |β s|."""
    tridiagonal = torch.diag_embed(diagonal[:, :size])
    coupling = off_diagonal[:, : size - 1]
    tridiagonal += torch.diag_embed(coupling, 1) + torch.diag_embed(coupling, -1)
    values, vectors = torch.linalg.eigh(tridiagonal)
    pick = (values if which == "positive" else values.abs()).argmax(1, keepdim=True)
    last = vectors[:, -1].gather(1, pick)[:, 0]
    return values.gather(1, pick)[:, 0], (off_diagonal[:, size - 1] * last).abs()


def _scale(diagonal: Tensor, off_diagonal: Tensor, step: int) -> Tensor:
    return torch.maximum(diagonal[:, : step + 1].abs().amax(1), off_diagonal.amax(1))


def _rounding(vector: Tensor) -> float:
    return 10 * torch.finfo(vector.dtype).eps


def _report(values: Tensor, residuals: Tensor, tolerance: float, iterations: int) -> Eigenvalues:
    converged = residuals <= tolerance * values.abs()
    relative = torch.where(residuals == 0, 0.0, residuals / values.abs())
    return Eigenvalues(values, relative, converged, iterations)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a.double() * b.double()).sum(1).cpu()


def _norm(vector: Tensor) -> Tensor:
    return torch.linalg.vector_norm(vector, dim=1, dtype=torch.float64).cpu()


def _normalise(vector: Tensor) -> tuple[Tensor, Tensor]:
    """Return rows of length 1 (a zero row stays zero) and their former lengths."""
    length = _norm(vector)
    inverse = torch.where(length > 0, 1 / length, 0.0)
    return vector * inverse.to(vector)[:, None], length


def _check(which: str, tolerance: float, max_iterations: int) -> None:
    if which not in WHICH:
        raise OptionError(f"which is one of {', '.join(WHICH)}; got {which!r}")
    if not tolerance > 0 or max_iterations < 1:
        raise OptionError(
            f"expected a positive tolerance and at least one iteration; "
            f"got {tolerance} and {max_iterations}"
        )
