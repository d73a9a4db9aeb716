"""A random forest predicts scores from encodings and proxies, and is fitted to the answers.

Lukasik, Moeller and Keuper, "An Evaluation of Zero-Cost Proxies – from Neural Architecture
Performance Prediction to Model Robustness", GCPR 2023, predict robust accuracy so.
"""

import random

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.ensemble import RandomForestRegressor

from evaluation.search.base import Ask
from evaluation.search.space import Space

__all__ = ["forest", "predictor", "proxy_features"]

POOL = 20_000


def forest(source: random.Random, trees: int = 100) -> RandomForestRegressor:
    """Return an unfitted forest, whose seed is drawn from ``source``."""
    return RandomForestRegressor(trees, random_state=source.getrandbits(32), n_jobs=1)


def proxy_features(scores: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return scores (n, P) as features: their ranks in (0, 1], and 0 where there is none.

    Trees depend on the order of a feature's values alone, which ranks keep on any scale.
    """
    finite = np.isfinite(scores)
    features = np.zeros(scores.shape, np.float32)
    for column in range(scores.shape[1]):
        rows = finite[:, column]
        features[rows, column] = rankdata(scores[rows, column]) / max(rows.sum(), 1)
    return features


def predictor(
    space: Space,
    ask: Ask,
    source: random.Random,
    *,
    initial: int = 20,
    batch: int = 20,
    trees: int = 50,
    features: NDArray[np.float32] | None = None,
) -> None:
    """Alternate between fitting a forest and asking for the candidates it predicts best.

    Of a space of more than 20,000 candidates, 20,000 random ones are predicted.

    Args:
        space: the space of the candidates.
        ask: returns the score of a candidate.
        source: the generator of all draws.
        initial: the number of random candidates that are asked for first.
        batch: the number of candidates that are asked for between two fits.
        trees: the number of trees of the forest.
        features: the features of all candidates, (size, F), see `proxy_features`; they are
            added to the one-hot options.
    """
    known = {candidate: ask(candidate) for candidate in space.distinct(initial, source)}
    while True:
        left = [c for c in space.distinct(POOL, source) if c not in known] or list(known)
        finite = [candidate for candidate, value in known.items() if value > -np.inf]
        if finite:
            model = forest(source, trees)
            model.fit(_inputs(space, finite, features), [known[c] for c in finite])
            predicted = model.predict(_inputs(space, left, features))
            left = [left[place] for place in np.argsort(-predicted, kind="stable")]
        for candidate in left[:batch]:
            known[candidate] = ask(candidate)


def _inputs(
    space: Space, candidates: list[int], features: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    encoded = space.one_hot(candidates)
    return encoded if features is None else np.hstack([encoded, features[candidates]])
