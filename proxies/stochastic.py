"""Traces and spectra of symmetric operators from random vectors.

The estimators know operators, not networks: ``matvec`` maps (N, D) to (N, D), as in `estimators`.

Hutchinson, "A stochastic estimator of the trace of the influence matrix", 1990; Ubaru, Chen and
Saad, "Fast Estimation of tr(f(A)) via Stochastic Lanczos Quadrature", 2017. PyHessian's density was
wrong before its 23rd pull request, which mixed the Ritz values of different starts.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from proxies.estimators import Matvec

__all__ = ["Spectrum", "hutchinson", "quadrature", "signs"]


def signs(shape: tuple[int, ...], source: torch.Generator) -> Tensor:
    """Return independent signs ±1 of equal probability, float32: of all such vectors the least
    noisy for a trace, and exact for a diagonal operator.
    """
    return 2.0 * torch.randint(2, shape, generator=source).float() - 1


def hutchinson(matvec: Matvec, vectors: Tensor) -> Tensor:
    """Return zᵀ H z of each of S vectors, whose expectation is the trace.

    Args:
        matvec: the operators, (N, D) → (N, D).
        vectors: signs, (S, N, D).

    Returns:
        The estimates, (S, N) in float64 on the CPU.
    """
    return torch.stack([
        (vector.double() * matvec(vector).double()).sum(1).cpu() for vector in vectors
    ])  # fmt: skip


@dataclass(frozen=True)
class Spectrum:
    """A density of eigenvalues as points with weights that add up to 1.

    Attributes:
        points: Ritz values, (S · m,) in float64.
        weights: their weights, of the same shape.
        dimension: the number of eigenvalues D that the density stands for.
    """

    points: Tensor
    weights: Tensor
    dimension: int

    def moment(self, power: int) -> float:
        """Return D · Σ w θ^p, an estimate of tr H^p."""
        return self.dimension * float((self.weights * self.points**power).sum())

    @property
    def negative_share(self) -> float:
        """Return Σ_{θ<0} w |θ| / Σ w |θ|."""
        mass = self.weights * self.points.abs()
        return float(mass[self.points < 0].sum() / mass.sum())

    @property
    def entropy(self) -> float:
        """Return −Σ p log p over the D eigenvalues, with p = |λ| / Σ |λ|."""
        sizes = self.points.abs()
        total = float((self.weights * sizes).sum())
        logs = torch.where(sizes > 0, sizes, 1.0).log()
        mean = float((self.weights * sizes * logs).sum()) / total
        return float(torch.tensor(self.dimension * total).double().log()) - mean


def quadrature(matvec: Matvec, starts: Tensor, steps: int) -> Spectrum:
    """Return the density of an operator's eigenvalues by Lanczos from random starts.

    A start v has the weights τ_j² of the eigenvectors of its tridiagonal matrix; with m steps
    Σ τ² p(θ) = vᵀ p(H) v / ‖v‖² exactly for polynomials p of degree up to 2m − 1. Each vector is
    made orthogonal to all earlier ones, twice.

    Args:
        matvec: one operator, (1, D) → (1, D).
        starts: vectors, (S, 1, D).
        steps: the number of products for a start, at most D.
    """
    found = [_nodes(matvec, start, min(steps, start.shape[1])) for start in starts]
    points = torch.cat([points for points, _ in found])
    weights = torch.cat([weights for _, weights in found]) / len(found)
    return Spectrum(points, weights, starts.shape[2])


def _nodes(matvec: Matvec, start: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Return the Ritz values of a start (1, D) and the squared first entries of their vectors."""
    basis = start.new_empty((steps, start.shape[1]))
    diagonal, beside = torch.zeros(2, steps, dtype=torch.float64)
    vector, size = start / start.double().norm().to(start), steps
    for step in range(steps):
        basis[step] = vector[0]
        product = matvec(vector)
        diagonal[step] = float((vector.double() * product.double()).sum())
        rest = product[0].clone()
        for _ in range(2):
            rest -= (basis[: step + 1] @ rest) @ basis[: step + 1]
        length = float(rest.double().norm())
        scale = max(float(diagonal.abs().max()), float(beside.max()))
        if not length > 10 * torch.finfo(start.dtype).eps * scale:  # the space is exhausted
            size = step + 1
            break
        beside[step] = length
        vector = (rest / length)[None]
    matrix = torch.diag(diagonal[:size])
    matrix += torch.diag(beside[: size - 1], 1) + torch.diag(beside[: size - 1], -1)
    if not bool(matrix.isfinite().all()):
        return torch.full((1,), torch.nan).double(), torch.ones(1).double()
    values, vectors = torch.linalg.eigh(matrix)
    return values, vectors[0].square()
