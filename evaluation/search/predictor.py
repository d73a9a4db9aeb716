"""Ask for what a random forest predicts from encodings and proxies, and learn from it.

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
    """Return an unfitted forest; its draws are settled here."""
    return RandomForestRegressor(trees, random_state=source.getrandbits(32), n_jobs=1)


def proxy_features(scores: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return scores (n, P) as features: their ranks in (0, 1], and 0 where there is none.

    Trees see nothing but the order of a feature; ranks are that, whatever the scale.
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

    Of a space of more than 20,000 candidates, so many random ones are predicted.

    Args:
        space: of the candidates.
        ask: for scores.
        source: of all draws.
        initial: random candidates asked for at first.
        batch: candidates asked for between two fits.
        trees: of the forest.
        features: (size, F), see `proxy_features`; they stand beside the one-hot options.
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
