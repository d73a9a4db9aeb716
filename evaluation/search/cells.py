"""NAS-Bench-201 as a search space: 6,466 classes of cells, each named by its lowest id.

The 15,625 strings are another space: classes of poor cells have many members, and the best of
300 random strings has 66.53 % FGSM@1 on average, that of 300 random classes 67.30 %; the paper
reports 67.25 %. So a candidate is a class here, and its neighbours are the classes of its
representative's 24 neighbours.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.search.candidates import default_candidates, option_counts
from evaluation.search.space import Space

__all__ = [
    "candidate_of",
    "cells",
    "genotype_of",
    "operation_counts",
    "path_encoding",
    "published_ids",
]


@cache
def cells(members: tuple[int, ...] | None = None) -> Space:
    """Return the space, or the part of it that holds these candidates.

    Its encoding is BANANAS's truncated path encoding.
    """
    return default_candidates().restricted(members)


def published_ids() -> NDArray[np.int64]:
    """Return the published id of each candidate, (15625,)."""
    return default_candidates().labels.to_numpy()


def candidate_of(genotype: Any) -> int:
    """Return the candidate that stands for a genotype's class; inverse to `genotype_of`."""
    record = default_candidates().roster.space
    assert record is not None
    return cells().candidate(record.options(genotype))


def genotype_of(candidate: int) -> Any:
    """Return the genotype of a candidate."""
    return default_candidates().roster.genotype(int(published_ids()[candidate]))


def path_encoding() -> NDArray[np.float32]:
    """Return which short paths each cell has, (15625, 20) of zeros and ones."""
    return cells().encode(range(len(published_ids())))


def operation_counts() -> NDArray[np.float32]:
    """Return how often each operation occurs in each cell, (15625, 5)."""
    return option_counts(cells())
