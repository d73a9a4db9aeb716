"""Scores of a cell made for one kind of accuracy each: what smooths, what stacks, what fits.

Two regimes are mixed among the networks that resist an attack: weak ones whose poolings smooth the
image in front of every nonlinearity, and accurate ones whose stacked 3×3 kernels become smooth in
training. How the definitions were found, on the networks of even numbers, and what they are worth
on those of odd numbers, is told in ``docs/study``. Nothing is built or drawn, no weight is fitted.

A cell without a path has the value 0 in every score.
"""

from collections.abc import Callable

from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.nasbench201.paths import CONV1, CONV3, POOL, SKIP, live_count, live_paths

__all__ = ["REGIME_SCORES", "capacity", "nonlinear_pool_min", "smoothed_stacking", "stacking"]

LINEAR = 4  # more poolings than any path can have
LEVEL = 10  # more than the 6 + 1 that decide within a level


def nonlinear_pool_min(genotype: Genotype) -> float:
    """Return the fewest average poolings on a live path with a convolution, 0 to 2.

    A path of skips and poolings is linear: what it carries ends in the mean over all pixels, in
    which a rough perturbation vanishes. A cell of such paths only has the value 4.
    """
    counts = [path.count(POOL) for path in _nonlinear(genotype)]
    if counts:
        return float(min(counts))
    return float(LINEAR if live_paths(genotype) else 0)


def smoothed_stacking(genotype: Genotype) -> float:
    """Return 10 · `nonlinear_pool_min` + live 3×3 convolutions + 1 without a path of skips alone.

    For PGD and APGD. Smoothing around every nonlinearity comes first; on the same level the
    number of 3×3 kernels decides, and one of them weighs as much as a way through the cell on
    which nothing at all happens to the image.
    """
    paths = live_paths(genotype)
    if not paths:
        return 0.0
    skipped = any(set(path) == {SKIP} for path in paths)
    level = LEVEL * nonlinear_pool_min(genotype)
    return level + live_count(genotype, CONV3) + (not skipped)


def stacking(genotype: Genotype) -> float:
    """Return live 3×3 + most 3×3 on a path + all live convolutions − linear live paths.

    For FGSM of small ε, where accuracy and stacked 3×3 convolutions go together.
    """
    paths = live_paths(genotype)
    if not paths:
        return 0.0
    longest = max(path.count(CONV3) for path in paths)
    linear = len(paths) - len(_nonlinear(genotype))
    return 2 * live_count(genotype, CONV3) + live_count(genotype, CONV1) + longest - linear


def capacity(genotype: Genotype) -> float:
    """Return 2 · live 3×3 convolutions + live 1×1 convolutions − live average poolings.

    For clean accuracy: a convolution adds a nonlinearity, a 3×3 one context as well, and a pooling
    takes detail away.
    """
    live = {operation: live_count(genotype, operation) for operation in (CONV3, CONV1, POOL)}
    return 2 * live[CONV3] + live[CONV1] - live[POOL]


def _nonlinear(genotype: Genotype) -> list[tuple[str, ...]]:
    return [path for path in live_paths(genotype) if CONV3 in path or CONV1 in path]


# By the names of the proxies that they are.
REGIME_SCORES: dict[str, Callable[[Genotype], float]] = {
    "paths_nonlinear_pool_min": nonlinear_pool_min,
    "smoothed_stacking": smoothed_stacking,
    "stacking": stacking,
    "capacity": capacity,
}
