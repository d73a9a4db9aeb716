"""Pareto fronts of several scores, and the area that they dominate."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.basis.errors import InputError

__all__ = ["front", "hypervolume"]


def front(points: ArrayLike) -> NDArray[np.int64]:
    """Return the rows that no other dominates, in descending order of the first column.

    A row dominates another if it is nowhere smaller and somewhere larger. Of equal rows the
    first stands for all. Rows with a NaN are left out.

    Args:
        points: the scores, (n, k), larger being better.

    Returns:
        The numbers of the rows, (m,).
    """
    points = _checked(points)
    rows = np.flatnonzero(np.isfinite(points).all(axis=1))
    _, first = np.unique(points[rows], axis=0, return_index=True)
    # In this order nobody is dominated by a later one, so one pass is enough.
    order = sorted(rows[first].tolist(), key=lambda row: (*(-points[row]), row))
    kept: list[int] = []
    for row in order:
        if not kept or not (points[kept] >= points[row]).all(axis=1).any():
            kept.append(row)
    return np.array(kept, dtype=np.int64)


def hypervolume(points: ArrayLike, reference: ArrayLike = (0.0, 0.0)) -> float:
    """Return the area that points dominate above a reference point, for two scores.

    Args:
        points: the scores, (n, 2), larger being better; those not above the reference add
            nothing.
        reference: the reference point, (2,).

    Raises:
        ValueError: if there are not two columns.
    """
    points, reference = _checked(points), np.asarray(reference, dtype=np.float64)
    if points.shape[1] != 2:
        raise InputError(f"the hypervolume is of two scores here; got {points.shape[1]}")
    chosen = points[front(points)]
    chosen = chosen[(chosen > reference).all(axis=1)]
    area, height = 0.0, reference[1]
    for right, top in chosen:  # from the right; each one is higher than the last
        area += (right - reference[0]) * (top - height)
        height = top
    return float(area)


def _checked(points: ArrayLike) -> NDArray[np.float64]:
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2:
        raise InputError(f"points are (n, k), one row each; got the shape {points.shape}")
    return points
