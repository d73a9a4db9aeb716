"""Kendall's τ-b with its standard error: pure functions on arrays, in O(n log n).

A pair of networks is concordant if both variables order it alike, discordant if
they order it oppositely. With s the mean over all pairs of
sign(xᵢ − xⱼ) · sign(yᵢ − yⱼ), p the fraction of pairs that x does not tie and q
the same for y, τ-b = s / √(p q): ties are neither agreement nor disagreement, and
they shrink the denominator. s, p and q are U-statistics of degree 2, so what one
sample contributes to each of them is a mean over its pairs, and the delta method
gives the influence of that sample on τ-b.

Kendall, "The treatment of ties in ranking problems", Biometrika 33, 1945;
Hoeffding, "A class of statistics with asymptotically normal distribution",
Annals of Mathematical Statistics 19, 1948.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.basis.errors import InputError

__all__ = [
    "ROUNDING",
    "TauB",
    "checked",
    "dense_ranks",
    "kendall_tau_b",
    "pair_sums",
    "tau_b",
    "tau_from",
    "tie_fraction",
]

Integers = NDArray[np.int64]
ROUNDING = 1e-12  # what may be left of an error, or of a difference, that is 0


@dataclass(frozen=True)
class TauB:
    """τ-b, its standard error, and the influence values that the error is computed from.

    Attributes:
        tau: τ-b in [−1, 1]; NaN where it is undefined (fewer than two samples, or a constant x
            or y).
        standard_error: the asymptotic standard error, which is the standard deviation of the
            influence values over √n. It is the spread of τ-b over samples of n networks that are
            drawn as these were. It does not contain the noise in the scores or accuracies
            themselves, and is 0 where the approximation ends: at τ = ±1, and where a few samples
            happen to have equal influence. It is NaN where τ-b is undefined or n < 3.
        influence: the influence of each sample on τ-b, (n,), of mean 0. The standard deviation
            of the difference of two such arrays, over √n, is the standard error of the
            difference of two τ-b measured on the same samples.
    """

    tau: float
    standard_error: float
    influence: NDArray[np.float64]

    @property
    def known_error(self) -> float:
        """The standard error, or NaN where it is 0: no sample makes τ-b certain."""
        return math.nan if self.standard_error < ROUNDING else self.standard_error


def kendall_tau_b(x: ArrayLike, y: ArrayLike) -> float:
    """Return Kendall's τ-b of two variables of n samples, NaN if either is constant.

    Raises:
        ValueError: if x and y are not one-dimensional of equal length, or hold NaN.
    """
    x, y = checked(x, y)
    return _tau(*pair_sums(dense_ranks(x), dense_ranks(y)))


def tau_b(x: ArrayLike, y: ArrayLike) -> TauB:
    """Return τ-b, its standard error and the influence of each sample on it.

    The influence of sample i is 2 [(sᵢ − s) − s (pᵢ − p) / 2p − s (qᵢ − q) / 2q] / √(p q),
    where sᵢ, pᵢ and qᵢ are the means of the three kernels over the pairs of i.

    Raises:
        ValueError: if x and y are not one-dimensional of equal length, or hold NaN.
    """
    x, y = checked(x, y)
    return tau_from(pair_sums(dense_ranks(x), dense_ranks(y)))


def tau_from(sums: tuple[Integers, Integers, Integers]) -> TauB:
    """Return the result of :func:`tau_b` from the sums that :func:`pair_sums` returns."""
    agreement, untied_x, untied_y = sums
    n = len(agreement)
    tau = _tau(agreement, untied_x, untied_y)
    if math.isnan(tau):
        return TauB(math.nan, math.nan, np.full(n, math.nan))
    s, p, q = (sums / (n - 1) for sums in (agreement, untied_x, untied_y))
    ties = (p / p.mean() - 1) + (q / q.mean() - 1)
    influence = 2 * ((s - s.mean()) / math.sqrt(p.mean() * q.mean()) - tau / 2 * ties)
    error = float(influence.std(ddof=1)) / math.sqrt(n) if n > 2 else math.nan
    return TauB(tau, error, influence)


def tie_fraction(y: ArrayLike) -> float:
    """Return the fraction, in [0, 1], of pairs of samples with equal values; NaN if n < 2.

    Raises:
        ValueError: if y is not one-dimensional or holds NaN.
    """
    (y,) = checked(y)
    n = len(y)
    if n < 2:
        return math.nan
    counts = np.unique(y, return_counts=True)[1].astype(np.int64)
    return int((counts * (counts - 1)).sum()) / (n * (n - 1))


def checked(*variables: ArrayLike) -> list[np.ndarray]:
    """Return the variables as arrays of integers or floats.

    Raises:
        ValueError: if they are not one-dimensional of equal length, or hold NaN.
    """
    arrays = [np.asarray(variable) for variable in variables]
    # Integers stay integers: above 2⁵³ a float would tie what is not tied.
    arrays = [a if a.dtype.kind in "iub" else a.astype(np.float64) for a in arrays]
    if any(a.ndim != 1 or len(a) != len(arrays[0]) for a in arrays):
        raise InputError(
            f"expected one-dimensional variables of equal length; "
            f"got shapes {', '.join(str(a.shape) for a in arrays)}"
        )
    for a in arrays:
        if missing := int(np.isnan(a).sum()):
            raise InputError(
                f"{missing} of {len(a)} values are NaN; rankings are of complete samples only: "
                f"leave those samples out of every variable first"
            )
    return arrays


def dense_ranks(x: np.ndarray) -> Integers:
    """Return the dense ranks, 0 for the smallest value; equal values share one."""
    return np.unique(x, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _tau(agreement: Integers, untied_x: Integers, untied_y: Integers) -> float:
    # Python's integers: the product of two pair counts leaves 64 bits at n = 55,000.
    product = int(untied_x.sum()) * int(untied_y.sum())
    return int(agreement.sum()) / math.sqrt(product) if product else math.nan


def pair_sums(x: Integers, y: Integers) -> tuple[Integers, Integers, Integers]:
    """Return, for each sample, sums over its n − 1 pairs of the kernels of s, p and q.

    x and y are dense ranks, as :func:`dense_ranks` returns them.

    Only the number of samples below in both ranks takes work; the other quadrants
    follow from it and from the counts of each rank alone.
    """
    n = len(x)
    x_less, x_equal = _less_and_equal(x)
    y_less, y_equal = _less_and_equal(y)
    x_equal_y_less, xy_equal = _less_within(x, y, x_less)
    x_less_y_equal, _ = _less_within(y, x, y_less)

    both_less = _count_dominated(x, y)
    x_less_y_more = x_less - both_less - x_less_y_equal
    x_more_y_less = y_less - both_less - x_equal_y_less
    x_more_y_equal = y_equal - xy_equal - x_less_y_equal
    both_more = (n - x_less - x_equal) - x_more_y_less - x_more_y_equal
    agreement = both_less + both_more - x_less_y_more - x_more_y_less
    return agreement, n - x_equal, n - y_equal


def _less_within(ties: Integers, ranks: Integers, less: Integers) -> tuple[Integers, Integers]:
    """Return, for each sample, how many tie in the first with a smaller rank, and in both.

    Args:
        ties: ranks, whose ties are looked into.
        ranks: the ranks that are compared among those.
        less: how many samples have a smaller rank in the first.
    """
    if int(ties.max(initial=-1)) + 1 == len(ties):  # there are none, as in most scores
        return np.zeros_like(ties), np.ones_like(ties)
    both = dense_ranks(ties * (int(ranks.max(initial=0)) + 1) + ranks)
    both_less, both_equal = _less_and_equal(both)
    return both_less - less, both_equal


def _less_and_equal(ranks: Integers) -> tuple[Integers, Integers]:
    """Return, for each sample, how many have a smaller rank and how many the same."""
    counts = np.bincount(ranks)
    return (np.cumsum(counts) - counts)[ranks], counts[ranks]


def _count_dominated(x: Integers, y: Integers) -> Integers:
    """Return, for each sample, how many are smaller in both ranks.

    A wavelet tree, built level by level: with the samples in the order of x, the bits of
    y from the highest down split them into groups that keep this order. A smaller y that
    came before is met where its bit is 0, the sample's is 1 and the higher bits agree.
    """
    # Among equal x the larger y comes first, so that it never counts as "came before".
    order = np.lexsort((-y, x))
    values = y[order]
    bits = int(values.max(initial=0)).bit_length()
    starts = np.searchsorted(np.sort(values), np.arange((1 << bits) + 1))
    dominated = np.zeros(len(x), dtype=np.int64)
    places = np.arange(len(x))
    for bit in reversed(range(bits)):
        group = starts[values >> (bit + 1) << (bit + 1)]
        ones = (values >> bit) & 1
        zeros_before = np.concatenate(([0], np.cumsum(1 - ones)))
        zeros_in_group = zeros_before[:-1] - zeros_before[group]
        dominated[order] += ones * zeros_in_group
        within = np.where(ones, places - group - zeros_in_group, zeros_in_group)
        target = starts[values >> bit << bit] + within
        values[target], order[target] = values.copy(), order.copy()
    return dominated
