"""The noise ceiling: the τ-b that a perfect score reaches against accuracies measured once.

Training again changes a network's accuracy, so a score that knew the mean accuracy of every
network over all trainings would still not rank one measurement of each perfectly. How much
an accuracy changes is seen on twins: networks of the same function that were trained
separately (`SearchSpace.twins`).

The estimate adds noise a second time: with y the measured accuracies and e drawn from how
twins of about that accuracy differ from their mean, it is τ-b of y and y + e. It rests on
three assumptions. A measured accuracy stands for the true one: the spread of y exceeds that
of the true means by the noise itself, so the estimate is slightly too high. Twins are as
noisy as other networks of their accuracy: they have fewer live operations than most. And
trainings are independent.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evaluation.correlation.tau_b import checked, kendall_tau_b
from testbed.basis.errors import InputError

__all__ = ["noise_ceiling", "twin_residuals"]

NEIGHBOURS = 40
FEWEST_GROUPS = 20
ROUNDING = 1e-12


def noise_ceiling(
    y: ArrayLike, groups: Sequence[Sequence[int]], draws: int = 5, seed: int = 0
) -> float:
    """Return the τ-b, in [−1, 1], of a perfect score with y; NaN where it cannot be estimated.

    Args:
        y: the accuracies, (n,) in [0, 1], each of one training.
        groups: for each group of networks that are the same function, their positions in y, of
            which there are two or more.
        draws: how many times noise is drawn for every network; the mean is returned.
        seed: the seed of the draws.

    Returns:
        The τ-b; NaN with fewer than 20 groups, or if y is constant.

    Raises:
        ValueError: if y is not one-dimensional, holds NaN, or a group has fewer than two
            positions.
    """
    (y,) = checked(y)
    y = y.astype(np.float64)
    if len(groups) < FEWEST_GROUPS:
        return math.nan
    means, residuals, sizes = twin_residuals(y, groups)
    starts = np.cumsum(sizes) - sizes
    ascending = np.argsort(means, kind="stable")
    nearest = ascending[_nearest(means[ascending], y, min(NEIGHBOURS, len(means)))]
    generator = np.random.default_rng(seed)
    taus = []
    for _ in range(draws):
        column = generator.integers(nearest.shape[1], size=len(y))
        group = nearest[np.arange(len(y)), column]
        member = starts[group] + generator.integers(sizes[group])
        taus.append(kendall_tau_b(y, y + residuals[member]))
    return float(np.mean(taus))


def twin_residuals(
    y: NDArray[np.float64], groups: Sequence[Sequence[int]]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Return the mean of each group, the deviations of all members, and each group's size.

    Deviations from a mean of m are too small by √((m − 1)/m), and are scaled up by it; those
    of a group follow each other.

    Raises:
        ValueError: if a group has fewer than two positions.
    """
    if smallest := [group for group in groups if len(group) < 2]:
        raise InputError(f"a group of twins has two members or more; got {list(smallest[0])}")
    sizes = np.array([len(group) for group in groups], dtype=np.int64)
    values = y[np.concatenate([np.asarray(group) for group in groups])]
    means = np.add.reduceat(values, np.cumsum(sizes) - sizes) / sizes
    residuals = (values - np.repeat(means, sizes)) * np.repeat(np.sqrt(sizes / (sizes - 1)), sizes)
    # What rounding leaves of equal values would break the ties of y.
    residuals[np.abs(residuals) < ROUNDING] = 0
    return means, residuals, sizes


def _nearest(ascending: NDArray[np.float64], y: NDArray[np.float64], k: int) -> NDArray[np.int64]:
    """Return, for each y, the places of the k values around it: (n, k)."""
    middle = np.searchsorted(ascending, y)
    first = np.clip(middle - k // 2, 0, len(ascending) - k)
    return first[:, None] + np.arange(k)
