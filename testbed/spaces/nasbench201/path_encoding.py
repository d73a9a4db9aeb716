"""The truncated path encoding of BANANAS.

White, Neiswanger and Savani, "BANANAS: Bayesian Optimization with Neural Architectures
for Neural Architecture Search", AAAI 2021, section 4.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from testbed.spaces.nasbench201.genotype import OPERATIONS, Genotype

__all__ = ["path_encoding"]

# The paths from input to output of one and of two edges, as numbers of edges.
SHORT_PATHS = ((3,), (0, 4), (1, 5))


def path_encoding(genotypes: Sequence[Genotype]) -> NDArray[np.float32]:
    """Return which paths each cell has, (n, 20) of zeros and ones.

    A path is the operations along it, none of them ``none``. Paths of three edges are
    truncated: a random cell has each of them in one case of 125.
    """
    working = len(OPERATIONS) - 1
    place_of = {operation: place for place, operation in enumerate(OPERATIONS)}
    rows = [[place_of[operation] for operation in cell.operations] for cell in genotypes]
    digits = np.array(rows, dtype=np.int64).reshape(len(rows), 6)
    encoding = np.zeros((len(digits), working + working**2), dtype=np.float32)
    for path in SHORT_PATHS:
        operations = digits[:, path] - 1  # ``none`` is the first operation
        there = (operations >= 0).all(axis=1)
        place = operations @ (working ** np.arange(len(path))[::-1])
        encoding[there, place[there] + (working if len(path) == 2 else 0)] = 1
    return encoding
