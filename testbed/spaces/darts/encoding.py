"""A genotype as a vector for predictors, and its cells as edges that can be drawn."""

import itertools
from collections.abc import Sequence

from testbed.basis.foreign_text import described
from testbed.spaces.darts.genotype import (
    CONCAT,
    INPUTS,
    NODES,
    OPERATIONS,
    Edge,
    Genotype,
    GenotypeError,
)

__all__ = ["EDGES", "LENGTH", "decode", "drawn_edges", "encode"]

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


def decode(vector: Sequence[int]) -> Genotype:
    """Return the genotype of an encoding, in canonical order.

    Raises:
        GenotypeError: if it has not 224 numbers, or a node has not two edges.
    """
    if len(vector) != LENGTH or any(one not in (0, 1, 2) for one in vector):
        raise GenotypeError(
            f"an encoding has {LENGTH} numbers 0, 1 or 2; got {described(tuple(vector))}, "
            f"{len(vector)} in all"
        )
    cells: list[list[Edge]] = []
    for which in range(2):
        edges: list[Edge] = []
        for number, (source, node) in enumerate(EDGES):
            start = (which * len(EDGES) + number) * len(OPERATIONS)
            counts = vector[start : start + len(OPERATIONS)]
            for operation, times in zip(OPERATIONS, counts, strict=True):
                edges += itertools.repeat((operation, source), int(times))
            if source == node - 1 and len(edges) != 2 * (node - INPUTS + 1):
                raise GenotypeError(
                    f"expected two edges to each node of an encoding; got "
                    f"{len(edges) - 2 * (node - INPUTS)} to node {node}"
                )
        cells.append(edges)
    return Genotype(tuple(cells[0]), tuple(cells[1]))


def drawn_edges(genotype: Genotype) -> dict[str, list[tuple[str, str, str]]]:
    """Return each cell as edges (source, target, operation), to be drawn.

    The nodes are called as in the paper: ``c_{k-2}`` and ``c_{k-1}`` are the inputs, ``0`` to
    ``3`` the nodes and ``c_{k}`` the output, which the nodes reach by edges without an operation
    (an empty text), since it is their concatenation.
    """
    labels = ("c_{k-2}", "c_{k-1}", *map(str, range(NODES)))
    found: dict[str, list[tuple[str, str, str]]] = {}
    for which, cell in genotype.canonical.cells.items():
        inner = [
            (labels[source], labels[INPUTS + number // 2], operation)
            for number, (operation, source) in enumerate(cell)
        ]
        found[which] = inner + [(labels[node], "c_{k}", "") for node in CONCAT]
    return found
