"""A genotype as a vector for predictors, and its cells as edges that can be drawn."""

from testbed.spaces.darts.genotype import (
    CONCAT,
    INPUTS,
    OPERATIONS,
    Genotype,
)

__all__ = ["EDGES", "LENGTH", "encode"]

EDGES = tuple((source, node) for node in CONCAT for source in range(node))
LENGTH = 2 * len(EDGES) * len(OPERATIONS)


def encode(genotype: Genotype) -> tuple[int, ...]:
    """Return 224 numbers: for each cell and each possible edge, the operation that is on it.

    The normal cell stands first; the 14 edges are those of `EDGES`, (source, node); of the eight
    numbers of an edge, in the order of `OPERATIONS`, one is 1 if the edge is there, and all are 0
    if not. (A node that reads one source twice has two ones there, or a 2.) Equal genotypes have
    one encoding.
    """
    vector = [0] * LENGTH
    for which, cell in enumerate((genotype.normal, genotype.reduce)):
        for number, (operation, source) in enumerate(cell):
            edge = which * len(EDGES) + EDGES.index((source, INPUTS + number // 2))
            vector[edge * len(OPERATIONS) + OPERATIONS.index(operation)] += 1
    return tuple(vector)
