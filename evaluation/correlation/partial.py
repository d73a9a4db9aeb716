"""Partial τ-b: the agreement of x and y that a third variable z does not explain.

τ-b is Pearson's correlation of the signs of all pairs of samples, so the correlation
of what is left of the signs of x and y after a linear regression on those of z is

    (τ_xy − τ_xz τ_yz) / √((1 − τ_xz²) (1 − τ_yz²)).

It is a function of three τ-b, so the delta method gives its influence values from
theirs. It is not 0 in general where x and y are independent given z.

Kendall, "Partial rank correlation", Biometrika 32, 1942.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from evaluation.correlation.tau_b import TauB, tau_b
from testbed.basis.errors import InputError

__all__ = ["partial_from", "partial_tau_b"]


def partial_tau_b(x: ArrayLike, y: ArrayLike, z: ArrayLike) -> TauB:
    """Return the partial τ-b of x and y given z, its standard error and influence values.

    All of them are NaN where it is undefined: if a variable is constant, or x or y ranks the
    samples as z does.

    Raises:
        ValueError: if they are not one-dimensional of equal length, or hold NaN.
    """
    return partial_from(tau_b(x, y), tau_b(x, z), tau_b(y, z))


def partial_from(xy: TauB, xz: TauB, yz: TauB) -> TauB:
    """Return the partial τ-b of x and y given z, of three τ-b on the same samples.

    Raises:
        ValueError: if the three are of different numbers of samples.
    """
    n = len(xy.influence)
    if len(xz.influence) != n or len(yz.influence) != n:
        raise InputError(
            f"a partial τ-b is of three τ-b on the same samples; "
            f"got {n}, {len(xz.influence)} and {len(yz.influence)}"
        )
    a, b, c = xy.tau, xz.tau, yz.tau
    left = (1 - b * b) * (1 - c * c)
    # Where x or y is z itself nothing is left to correlate; the last digit may say otherwise.
    if math.isnan(a + left) or left < 1e-12:
        return TauB(math.nan, math.nan, np.full(n, math.nan))
    tau = (a - b * c) / math.sqrt(left)
    by_xz = tau * b / (1 - b * b) - c / math.sqrt(left)
    by_yz = tau * c / (1 - c * c) - b / math.sqrt(left)
    influence = xy.influence / math.sqrt(left) + by_xz * xz.influence + by_yz * yz.influence
    error = float(influence.std(ddof=1)) / math.sqrt(n) if n > 2 else math.nan
    return TauB(tau, error, influence)
