"""Small search spaces and objectives with known answers."""

import numpy as np

from evaluation.search import Space

CHOICES = {"width": (8, 16, 32), "depth": (1, 2, 3, 4), "kernel": (3, 5)}


def toy_space() -> Space:
    return Space(CHOICES)


def hill(space: Space):
    """One peak, at the last option of each choice, that every path leads up to."""

    def height(candidate: int) -> float:
        digits = space.one_hot([candidate])[0].nonzero()[0]
        return float(digits.sum())

    return height


def random_heights(space: Space, seed: int = 0):
    values = np.random.default_rng(seed).permutation(len(space)) / len(space)
    return values.tolist().__getitem__
