"""How well a random forest ranks networks it has not seen: the floor for any proxy."""

import random
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evaluation.correlation import kendall_tau_b
from evaluation.search.predictor import forest
from testbed.basis.errors import InputError
from testbed.basis.seeding import derive_seed

__all__ = ["held_out_taus"]


def held_out_taus(
    features: NDArray[np.float32], values: Sequence[float], count: int, repeats: int, seed: int = 0
) -> NDArray[np.float64]:
    """Return τ-b of predicted and true values on the networks a forest was not fitted to.

    Args:
        features: the features of all networks, (n, F).
        values: the values that are predicted, (n,).
        count: the number of random networks that a forest is fitted to, in [2, n − 2].
        repeats: the number of random draws.
        seed: the seed of the draws and the forests.

    Returns:
        τ-b of each draw, (repeats,); NaN where a forest predicts the same for all.

    Raises:
        ValueError: if fewer than two networks are left to fit to, or to rank.
    """
    targets = np.asarray(values, dtype=np.float64)
    if not 2 <= count <= len(targets) - 2:
        raise InputError(
            f"a forest is fitted to 2 to {len(targets) - 2} of {len(targets)} networks; got {count}"
        )
    taus = []
    for repeat in range(repeats):
        source = random.Random(derive_seed("held out", seed, count, repeat))
        order = source.sample(range(len(targets)), len(targets))
        seen, unseen = order[:count], order[count:]
        model = forest(source).fit(features[seen], targets[seen])
        taus.append(kendall_tau_b(model.predict(features[unseen]), targets[unseen]))
    return np.array(taus)
