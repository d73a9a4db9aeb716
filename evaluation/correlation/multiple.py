"""Many comparisons: Holm's correction, and which score wins, significantly or not."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evaluation.correlation.intervals import tau_difference
from evaluation.correlation.tau_b import TauB
from testbed.basis.errors import InputError

__all__ = ["Winner", "holm", "winners"]


@dataclass(frozen=True)
class Winner:
    """The score that ranks one target best.

    Attributes:
        name: the score with the largest |τ-b|, or the first of several in the order given.
        tied: the other scores that rank exactly as it does, or exactly in the opposite order.
        runner_up: the rival with the largest p in the comparison with it; "" without rivals.
        p: the p-value of that comparison, after Holm's correction over all comparisons of all
            targets.
        significant: whether it beats every rival at the level that was asked for.
    """

    name: str
    tied: tuple[str, ...]
    runner_up: str
    p: float
    significant: bool


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """Return p-values adjusted by Holm's step-down method, in the order and shape given.

    Rejecting those below α keeps the probability of a single false rejection among all of
    them below α, whatever their dependence. NaN stands for no comparison, and remains NaN.

    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6, 1979.

    Raises:
        ValueError: if a value is outside [0, 1].
    """
    values = np.asarray(p, dtype=np.float64)
    adjusted = np.full(values.shape, math.nan)
    there = ~np.isnan(values)
    known = values[there]
    if ((known < 0) | (known > 1)).any():
        raise InputError(f"p-values lie in [0, 1]; got {known.min():g} to {known.max():g}")
    order = np.argsort(known, kind="stable")
    stepped = np.maximum.accumulate((len(known) - np.arange(len(known))) * known[order])
    result = np.empty(len(known))
    result[order] = np.minimum(stepped, 1)
    adjusted[there] = result
    return adjusted


def winners(
    table: Mapping[str, Mapping[str, TauB]], level: float = 0.05
) -> dict[str, Winner | None]:
    """Return which score ranks each target best, and whether that is significant.

    Scores are compared by |τ-b|, since the sign of a score that ranks in the opposite order
    can be reversed. Each winner is compared with every rival of its target; Holm's correction
    is over all these comparisons. Scores that rank exactly alike are no rivals of each other.

    Args:
        table: the τ-b of each score by target and name, all on the same samples.
        level: the probability of one false claim or more in the whole table.

    Returns:
        The winner of each target; None for a target where every τ-b is undefined.
    """
    found: dict[str, tuple[str, list[str], list[str]] | None] = {}
    p: list[float] = []
    for target, scores in table.items():
        defined = {name: tau for name, tau in scores.items() if not math.isnan(tau.tau)}
        if not defined:
            found[target] = None
            continue
        best = max(defined, key=lambda name: abs(defined[name].tau))
        rivals, tied = [], []
        for name in (name for name in defined if name != best):
            sign = -1 if defined[best].tau * defined[name].tau < 0 else 1
            difference = tau_difference(defined[best], defined[name], sign=sign)
            same = difference.standard_error < 1e-12 and abs(difference.value) < 1e-12
            (tied if same else rivals).append(name)
            if not same:
                p.append(difference.p)
        found[target] = (best, tied, rivals)
    adjusted = iter(holm(p).tolist())
    result: dict[str, Winner | None] = {}
    for target, entry in found.items():
        if entry is None:
            result[target] = None
            continue
        best, tied, rivals = entry
        by_rival = {name: next(adjusted) for name in rivals}
        # NaN, of two samples, is no evidence.
        hardest = max(by_rival, key=lambda name: _or_one(by_rival[name]), default="")
        worst = by_rival.get(hardest, math.nan)
        significant = bool(by_rival) and _or_one(worst) < level
        result[target] = Winner(best, tuple(tied), hardest, worst, significant)
    return result


def _or_one(p: float) -> float:
    return 1.0 if math.isnan(p) else p
