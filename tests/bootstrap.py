"""The nonparametric bootstrap of τ-b with one call of SciPy a resample: plain, and slow."""

import numpy as np
from scipy.stats import kendalltau

RESAMPLES = 1000


def resampled_taus(pairs, seed):
    """Return τ-b of each pair of variables in each resample, (RESAMPLES, pairs).

    Args:
        pairs: of arrays that are all of one length; they share the resamples.
        seed: of the draws.
    """
    n = len(pairs[0][0])
    draws = np.random.default_rng(seed).integers(0, n, (RESAMPLES, n))
    return np.array([[kendalltau(x[draw], y[draw]).statistic for x, y in pairs] for draw in draws])
