"""Other measures of how alike two rankings are: Spearman's ρ, weighted τ, top-k precision.

None depends on the order of the rows: where values tie, ranks are averaged, and membership
of the top k is a probability.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evaluation.correlation.tau_b import checked, dense_ranks, pair_sums
from testbed.basis.errors import InputError

__all__ = [
    "hyperbolic_weights", "mean_ranks", "spearman", "spearman_from", "top_count", "top_members",
    "top_precision", "weighted_from", "weighted_tau",
]  # fmt: skip


def spearman(x: ArrayLike, y: ArrayLike) -> float:
    """Return Spearman's ρ in [−1, 1]: Pearson's correlation of mean ranks; NaN if undefined.

    Raises:
        ValueError: if x and y are not one-dimensional of equal length, or hold NaN.
    """
    a, b = (mean_ranks(dense_ranks(variable)) for variable in checked(x, y))
    return spearman_from(a, b)


def spearman_from(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return Spearman's ρ of two variables from what :func:`mean_ranks` returns of them."""
    product = float(a @ a) * float(b @ b)
    return float(a @ b) / math.sqrt(product) if product else math.nan


def weighted_tau(x: ArrayLike, y: ArrayLike) -> float:
    """Return Kendall's τ-b with the best samples of y weighing most, in [−1, 1].

    A pair weighs 1/r + 1/s, r and s being the ranks of its two samples in y, 1 for the
    largest: pairs with one of the best networks count whatever its rival. Samples that tie
    in y share the mean of their weights. Without ties in y it is what
    ``scipy.stats.weightedtau(x, y, rank=…)`` returns for those ranks (its default also ranks
    by x and takes the mean of both).

    Vigna, "A weighted correlation index for rankings with ties", WWW 2015.

    Raises:
        ValueError: if x and y are not one-dimensional of equal length, or hold NaN.
    """
    x, y = checked(x, y)
    ranks = dense_ranks(y)
    return weighted_from(pair_sums(dense_ranks(x), ranks), hyperbolic_weights(ranks))


def weighted_from(
    sums: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
    weights: NDArray[np.float64],
) -> float:
    """Return τ-b with pairs weighted by the sum of the weights of their two samples.

    Args:
        sums: as :func:`~evaluation.correlation.tau_b.pair_sums` returns them.
        weights: the weights of the samples, (n,).
    """
    agreement, untied_x, untied_y = sums
    # Additive weights: the sum over pairs of (wᵢ + wⱼ) kᵢⱼ is the sum over i of wᵢ Σⱼ kᵢⱼ.
    product = float(weights @ untied_x) * float(weights @ untied_y)
    return float(weights @ agreement) / math.sqrt(product) if product else math.nan


def hyperbolic_weights(ranks: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return 1/rank of each sample, rank 1 being the largest; tied samples share their mean."""
    counts = np.bincount(ranks)[::-1]
    ends = np.cumsum(counts)
    harmonic = np.concatenate(([0.0], np.cumsum(1 / np.arange(1, len(ranks) + 1))))
    means = (harmonic[ends] - harmonic[ends - counts]) / counts
    return means[::-1][ranks]


def top_precision(x: ArrayLike, y: ArrayLike, fraction: float = 0.1) -> float:
    """Return the share of the top k of y that is in the top k of x, k = ⌈fraction · n⌉.

    A random order reaches k/n on average. Where values tie at the edge of a top k, the result
    is the expectation over random choices among them. It is NaN if there is no sample.

    Raises:
        ValueError: if x and y are not one-dimensional of equal length, or hold NaN, or the
            fraction is not in (0, 1].
    """
    x, y = checked(x, y)
    k = top_count(len(x), fraction)
    return float(top_members(x, k) @ top_members(y, k)) / k if k else math.nan


def top_count(n: int, fraction: float) -> int:
    """Return how many of n samples are the top ones: ⌈fraction · n⌉.

    Raises:
        ValueError: if the fraction is not in (0, 1].
    """
    if not 0 < fraction <= 1:
        raise InputError(f"the fraction of a top k lies in (0, 1]; got {fraction}")
    # Rounded first: 0.1 · 30 is a little more than 3.
    return math.ceil(round(fraction * n, 9))


def mean_ranks(ranks: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the ranks, averaged where samples tie, minus their mean; the smallest is first."""
    counts = np.bincount(ranks)
    return (np.cumsum(counts) - counts / 2)[ranks] - len(ranks) / 2


def top_members(values: np.ndarray, k: int) -> NDArray[np.float64]:
    """Return the probability of each sample to be among the k largest."""
    edge = np.partition(values, len(values) - k)[len(values) - k]
    above, at = values > edge, values == edge
    return above + at * ((k - above.sum()) / at.sum())
