"""NAS-Bench-201 as a search space: 6,466 classes of cells, each named by its lowest id.

The 15,625 strings are another space: classes of poor cells have many members, and the best of
300 random strings has 66.53 % FGSM@1 on average, that of 300 random classes 67.30 %; the paper
reports 67.25 %. So a candidate is a class here, and its neighbours are the classes of its
representative's 24 neighbours.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from evaluation.search.space import Space
from testbed.spaces.nasbench201.genotype import EDGES, OPERATIONS, Genotype, enumerate_space
from testbed.spaces.nasbench201.isomorphism import representatives

__all__ = ["candidate_of", "cells", "genotype_of", "operation_counts", "published_ids"]

# The paths from input to output of one and of two edges, as numbers of edges.
SHORT_PATHS = ((3,), (0, 4), (1, 5))
# By how much a candidate grows with the operation of each edge.
STRIDES = len(OPERATIONS) ** np.arange(len(EDGES))[::-1]


@cache
def cells(members: tuple[int, ...] | None = None) -> Space:
    """Return the space, or the part of it that holds these candidates.

    Its encoding is BANANAS's truncated path encoding.
    """
    if members is not None:
        return cells().restricted(members)
    ids, places = published_ids(), _candidates()
    alias = places[np.array(representatives())][ids].tolist()
    names = [str(enumerate_space()[number]) for number in ids]
    choices = {f"{source}→{target}": OPERATIONS for source, target in EDGES}
    return Space(choices, alias, features=path_encoding(), names=names)


@cache
def published_ids() -> NDArray[np.int64]:
    """Return the published id of each candidate, (15625,)."""
    return np.argsort(_candidates())


@cache
def _candidates() -> NDArray[np.int64]:
    """Return the candidate of each published id: its place in product order."""
    digits = [[OPERATIONS.index(op) for op in cell.operations] for cell in enumerate_space()]
    return np.array(digits) @ STRIDES


def candidate_of(genotype: Genotype) -> int:
    """Return the candidate that stands for a genotype's class; inverse to `genotype_of`."""
    return cells().canonical(int(_candidates()[genotype.index]))


def genotype_of(candidate: int) -> Genotype:
    """Return the genotype of a candidate."""
    return Genotype.from_index(int(published_ids()[candidate]))


def path_encoding() -> NDArray[np.float32]:
    """Return which paths each cell has, (15625, 20) of zeros and ones.

    A path is the operations along it, none of them ``none``. Paths of three edges are
    truncated: a random cell has each of them in one case of 125.

    White, Neiswanger and Savani, "BANANAS: Bayesian Optimization with Neural Architectures
    for Neural Architecture Search", AAAI 2021, section 4.
    """
    working = len(OPERATIONS) - 1
    digits = _digits()
    encoding = np.zeros((len(digits), working + working**2), dtype=np.float32)
    for path in SHORT_PATHS:
        operations = digits[:, path] - 1  # ``none`` is the first operation
        there = (operations >= 0).all(axis=1)
        place = operations @ (working ** np.arange(len(path))[::-1])
        encoding[there, place[there] + (working if len(path) == 2 else 0)] = 1
    return encoding


def operation_counts() -> NDArray[np.float32]:
    """Return how often each operation occurs in each cell, (15625, 5)."""
    return np.stack(
        [(_digits() == op).sum(axis=1) for op in range(len(OPERATIONS))], axis=1
    ).astype(np.float32)


def _digits() -> NDArray[np.int64]:
    return np.arange(len(OPERATIONS) ** len(EDGES))[:, None] // STRIDES % len(OPERATIONS)
