"""Confidence intervals of τ-b, and of the difference of two τ-b on the same samples.

The standard errors come from influence values, as in :mod:`evaluation.correlation.tau_b`.
The interval of one τ-b is symmetric in Fisher's z = artanh τ, where the sampling
distribution is closer to normal than in τ, whose distribution is skewed towards 0.
"""

import math
from dataclasses import dataclass
from functools import cache

from scipy import special, stats

from evaluation.correlation.tau_b import ROUNDING, TauB
from testbed.basis.errors import InputError

__all__ = ["Difference", "confidence_interval", "tau_difference"]


@dataclass(frozen=True)
class Difference:
    """The difference of two τ-b that were measured on the same samples.

    Attributes:
        value: the first τ-b minus the second, in [−2, 2].
        standard_error: the standard error of the value, from the difference of the influence
            values, so that the noise that both have in common cancels; NaN where either τ-b is
            undefined.
        p: the two-sided p-value of the hypothesis that the population's difference is 0; it is
            1 if the two rank every sample alike.
        low: the lower end of the confidence interval; NaN where the error is unknown, or 0 though
            the two differ.
        high: the upper end of the confidence interval.
    """

    value: float
    standard_error: float
    p: float
    low: float
    high: float


def confidence_interval(tau: TauB, level: float = 0.95) -> tuple[float, float]:
    """Return the ends, in [−1, 1], of the interval that covers the population's τ-b.

    It is tanh(artanh τ ± q · σ / (1 − τ²)), σ being the standard error and q the quantile of
    Student's t with n − 2 degrees of freedom. The ends are NaN where τ-b or its error is
    undefined, and where the error is 0 because the approximation ends, not because τ is known: at
    τ = ±1, and where a few samples happen to have equal influence.

    Raises:
        ValueError: if the level is not between 0 and 1.
    """
    width = _quantile(level, len(tau.influence) - 2) * tau.known_error
    if math.isnan(width) or abs(tau.tau) >= 1:
        return math.nan, math.nan
    centre, half = math.atanh(tau.tau), width / (1 - tau.tau**2)
    return math.tanh(centre - half), math.tanh(centre + half)


def tau_difference(first: TauB, second: TauB, level: float = 0.95, sign: int = 1) -> Difference:
    """Return the first τ-b minus ``sign`` times the second, of the same samples in one order.

    Args:
        first: the τ-b that the other is subtracted from.
        second: the τ-b that is subtracted.
        level: the level of the confidence interval, between 0 and 1.
        sign: 1, or −1 if the second score is used with its sign reversed.

    Raises:
        ValueError: if they are of different numbers of samples, or the level is not between
            0 and 1.
    """
    n = len(first.influence)
    if len(second.influence) != n:
        raise InputError(
            f"a difference is of τ-b on the same samples; got {n} and {len(second.influence)}"
        )
    quantile = _quantile(level, n - 2)
    value = first.tau - sign * second.tau
    if n < 3 or math.isnan(value):
        return Difference(value, math.nan, math.nan, math.nan, math.nan)
    influence = first.influence - sign * second.influence
    error = float(influence.std(ddof=1)) / math.sqrt(n)
    if error < ROUNDING:
        if abs(value) < ROUNDING:
            return Difference(value, error, 1.0, value, value)
        return Difference(value, error, math.nan, math.nan, math.nan)
    # What stats.t.sf is, without the checks that take ten times as long.
    p = float(2 * special.stdtr(n - 2, -abs(value) / error))
    low, high = value - quantile * error, value + quantile * error
    return Difference(value, error, p, max(low, -2.0), min(high, 2.0))


@cache
def _quantile(level: float, freedom: int) -> float:
    if not 0 < level < 1:
        raise InputError(f"a confidence level lies between 0 and 1; got {level}")
    return float(stats.t.ppf((1 + level) / 2, freedom)) if freedom > 0 else math.nan
