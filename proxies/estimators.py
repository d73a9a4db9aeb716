"""Extreme eigenvalues of symmetric operators: power iteration and Lanczos.

The estimators know operators, not networks: ``matvec`` maps (N, D) to (N, D)
and applies N independent symmetric D × D operators, one a row, so the spectra
of all samples of a batch are sought at once. Scalars are kept in float64.

``magnitude`` is the signed eigenvalue of largest magnitude, ``positive`` the
largest (algebraic) one. A row is done when its residual ‖Hv − θv‖, which bounds
the distance from θ to an eigenvalue, is at most ``tolerance`` · |θ|; its answer
is the one of that step, however long the other rows go on. A row whose product
is not finite has no eigenvalue: NaN, not converged.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from proxies.conditions import OptionError

__all__ = ["BOUNDS", "WHICH", "Eigenvalues", "Matvec", "lanczos", "power_iteration"]

WHICH = ("magnitude", "positive")
BOUNDS = ("residual", "gap")
BLOCK = 8  # basis vectors that are allocated together
Matvec = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Eigenvalues:
    """One extreme eigenvalue for each of N operators.

    Attributes:
        values: the eigenvalues θ, (N,) float64; NaN where a product was not finite.
        residuals: the relative residuals ‖Hv − θv‖ / |θ|, (N,) float64 (0 where H v = 0).
        converged: (N,) bool, whether the residual is at most the tolerance.
        iterations: the number of products with the operator until the last row was done.
    """

    values: Tensor
    residuals: Tensor
    converged: Tensor
    iterations: int


class _Rows:
    """The answers of N rows, each fixed at the step where it first meets the tolerance."""

    def __init__(self, done: Tensor, tolerance: float) -> None:
        self.done, self.tolerance = done.clone(), tolerance
        self.values = torch.zeros(len(done), dtype=torch.float64)
        self.residuals = torch.zeros_like(self.values)

    def update(self, values: Tensor, residuals: Tensor) -> None:
        """Keep the estimates of the rows that are not done; a non-finite one ends its row."""
        residuals = torch.where(values.isfinite(), residuals, torch.nan)
        values = torch.where(residuals.isfinite(), values, torch.nan)
        self.values = torch.where(self.done, self.values, values)
        self.residuals = torch.where(self.done, self.residuals, residuals)
        self.done |= (residuals <= self.tolerance * values.abs()) | values.isnan()

    def report(self, iterations: int) -> Eigenvalues:
        """Return the answers with relative residuals."""
        converged = self.residuals <= self.tolerance * self.values.abs()
        relative = torch.where(self.residuals == 0, 0.0, self.residuals / self.values.abs())
        return Eigenvalues(self.values, relative, converged, iterations)


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
        matvec: a function from (N, D) to (N, D) that multiplies row i with the i-th symmetric
            operator.
        start: random vectors, (N, D).
        which: one of `WHICH`.
        tolerance: the relative residual at which a row is done.
        max_iterations: the largest number of products in each of the two phases.
    """
    check_limits(which, tolerance, max_iterations)
    everywhere = torch.ones(len(start), dtype=torch.bool)
    first = _power(matvec, start, everywhere, torch.zeros(len(start)), tolerance, max_iterations)
    negative = first.values < 0
    if which == "magnitude" or not bool(negative.any()):
        return first
    shift = torch.where(negative, first.values, 0.0)
    second = _power(matvec, start, negative, shift, tolerance, max_iterations)
    return Eigenvalues(
        torch.where(negative, second.values, first.values),
        torch.where(negative, second.residuals, first.residuals),
        torch.where(negative, second.converged, first.converged),
        first.iterations + second.iterations,
    )


def _power(
    matvec: Matvec,
    start: Tensor,
    wanted: Tensor,
    shift: Tensor,
    tolerance: float,
    max_iterations: int,
) -> Eigenvalues:
    """Iterate H − shift·I in the wanted rows; the values and residuals are those of H."""
    vector, _ = _normalise(start)
    offset = shift.to(start)[:, None]
    rows = _Rows(~wanted, tolerance)
    products = 0
    while products < max_iterations and not bool(rows.done.all()):
        products += 1
        product = matvec(vector)
        values = _dot(vector, product)
        rows.update(values, _norm(product - values.to(product)[:, None] * vector))
        vector, _ = _normalise(product - offset * vector)
    return rows.report(products)


def lanczos(
    matvec: Matvec,
    start: Tensor,
    which: str = "magnitude",
    tolerance: float = 1e-3,
    max_iterations: int = 100,
    bound: str = "residual",
) -> Eigenvalues:
    """Seek an extreme eigenvalue in the Krylov space of a start.

    Every basis vector is orthogonalised against all earlier ones, twice, so no spurious
    copies appear (Parlett, "The Symmetric Eigenvalue Problem", 1998, chapter 13). A row
    whose Krylov space is exhausted has its exact answer.

    The error of θ is at most the residual r and, where δ is its distance to the rest of the
    spectrum, at most r² / δ (Parlett, theorem 11.7.1). With ``gap`` a row is done when the
    smaller is within the tolerance, δ being read off the other Ritz values, each moved towards
    θ by its own residual: an estimate, wrong where one Ritz value still stands for a cluster
    (the error may then be the cluster's width). On 50 networks of NAS-Bench-201 it put the
    error of the parameter Hessian at 1e-3 or less, and so it was; 3 of 100 bounds were passed,
    by up to a third.

    Args:
        matvec: a function from (N, D) to (N, D) that multiplies row i with the i-th symmetric
            operator.
        start: vectors (N, D) with a component along every eigenvector that may be wanted.
        which: one of `WHICH`.
        tolerance: the relative residual, or the relative bound, at which a row is done.
        max_iterations: the largest number of products.
        bound: one of `BOUNDS`: the quantity that is compared with the tolerance and returned
            as `Eigenvalues.residuals`.
    """
    check_limits(which, tolerance, max_iterations)
    if bound not in BOUNDS:
        raise OptionError(f"bound is one of {', '.join(BOUNDS)}; got {bound!r}")
    number, dimension = start.shape
    basis = _Basis(start)
    diagonal, off_diagonal = torch.zeros(2, number, min(max_iterations, dimension)).double()
    vector, _ = _normalise(start)
    rows = _Rows(torch.full((number,), dimension == 0), tolerance)
    step = 0
    while step < diagonal.shape[1] and not bool(rows.done.all()):
        basis.append(vector)
        product = matvec(vector)
        alpha = _dot(vector, product)
        vector, beta = _normalise(basis.orthogonalised(product))
        # A row that is done is not looked at again, and LAPACK wants finite numbers of it.
        finite = alpha.isfinite() & beta.isfinite()
        vector = torch.where((finite & ~rows.done).to(vector.device)[:, None], vector, 0)
        diagonal[:, step] = torch.where(finite, alpha, 0.0)
        exhausted = beta <= _rounding(start) * _scale(diagonal, off_diagonal, step)
        off_diagonal[:, step] = torch.where(finite & ~exhausted, beta, 0.0)
        values, residuals = _ritz(diagonal, off_diagonal, step + 1, which, bound)
        rows.update(torch.where(finite, values, torch.nan), residuals)
        step += 1
    return rows.report(step)


class _Basis:
    """Orthonormal vectors (N, D), stored in blocks (N, BLOCK, D) that are never copied."""

    def __init__(self, like: Tensor) -> None:
        self.like, self.size = like, 0
        self.blocks: list[Tensor] = []

    def append(self, vector: Tensor) -> None:
        place = self.size % BLOCK
        if place == 0:
            number, dimension = vector.shape
            self.blocks.append(self.like.new_empty((number, BLOCK, dimension)))
        self.blocks[-1][:, place] = vector
        self.size += 1

    def orthogonalised(self, vectors: Tensor) -> Tensor:
        """Return the part of the vectors, (N, D), that is orthogonal to the basis."""
        left = vectors.clone()
        rest = self.size - BLOCK * (len(self.blocks) - 1)
        used = [*self.blocks[:-1], self.blocks[-1][:, :rest]]
        for _ in range(2):
            # Row by row: the bits of a batched product depend on how many rows there are.
            for i, row in enumerate(left):
                overlaps = [block[i] @ row for block in used]
                for block, overlap in zip(used, overlaps, strict=True):
                    row.sub_(overlap @ block[i])
        return left


def _ritz(
    diagonal: Tensor, off_diagonal: Tensor, size: int, which: str, bound: str
) -> tuple[Tensor, Tensor]:
    """Return the wanted Ritz value of each row and its residual |β s|, or the gap's bound."""
    tridiagonal = torch.diag_embed(diagonal[:, :size])
    coupling = off_diagonal[:, : size - 1]
    tridiagonal += torch.diag_embed(coupling, 1) + torch.diag_embed(coupling, -1)
    values, vectors = torch.linalg.eigh(tridiagonal)
    pick = (values if which == "positive" else values.abs()).argmax(1, keepdim=True)
    residuals = (off_diagonal[:, size - 1 : size] * vectors[:, -1]).abs()
    value, residual = values.gather(1, pick), residuals.gather(1, pick)
    if bound == "gap" and size > 1:
        distance = ((values - value).abs() - residuals).scatter(1, pick, torch.inf)
        gap = distance.amin(1, keepdim=True)
        residual = torch.where(gap > residual, residual.square() / gap, residual)
    return value[:, 0], residual[:, 0]


def _scale(diagonal: Tensor, off_diagonal: Tensor, step: int) -> Tensor:
    return torch.maximum(diagonal[:, : step + 1].abs().amax(1), off_diagonal.amax(1))


def _rounding(vector: Tensor) -> float:
    return 10 * torch.finfo(vector.dtype).eps


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a.double() * b.double()).sum(1).cpu()


def _norm(vector: Tensor) -> Tensor:
    return torch.linalg.vector_norm(vector, dim=1, dtype=torch.float64).cpu()


def _normalise(vector: Tensor) -> tuple[Tensor, Tensor]:
    """Return rows of length 1 (a zero row stays zero) and their former lengths."""
    length = _norm(vector)
    inverse = torch.where(length > 0, 1 / length, 0.0)
    return vector * inverse.to(vector)[:, None], length


def check_limits(which: str, tolerance: float, max_iterations: int) -> None:
    """Raise OptionError unless these are options of an estimator."""
    if which not in WHICH:
        raise OptionError(f"which is one of {', '.join(WHICH)}; got {which!r}")
    if not 0 < tolerance < 1 or max_iterations < 1:  # a relative residual of 1 says nothing
        raise OptionError(
            f"expected a tolerance above 0 and below 1, and at least one iteration; "
            f"got {tolerance} and {max_iterations}"
        )
