"""Genotypes by chance, and those one step away; what is drawn depends on the seed alone.

Both keep to the genotypes that DARTS derives: the two edges of a node read different nodes and
no operation is ``none``. There are (180 · 7⁸)² of them, some 10¹⁸.
"""

import itertools
import random

from testbed.basis.errors import InputError
from testbed.basis.foreign_text import described
from testbed.spaces.darts.genotype import INPUTS, NODES, OPERATIONS, Edge, Genotype

__all__ = ["DERIVED", "SIZE", "mutated", "neighbours", "sample"]

DERIVED = OPERATIONS[1:]
SIZE = (180 * 7**8) ** 2
_PAIRS = tuple(tuple(itertools.combinations(range(INPUTS + node), 2)) for node in range(NODES))


def sample(count: int, seed: int = 0) -> list[Genotype]:
    """Return different genotypes, each drawn uniformly; more of a seed begin with the fewer.

    Args:
        count: how many, from 0.
        seed: the seed of the draws, a whole number.

    Raises:
        InputError: if one of them is no such number.
    """
    if type(count) is not int or not 0 <= count <= 10_000_000:
        raise InputError(f"expected a number of genotypes, 0 to 10,000,000; got {described(count)}")
    draws, found = _draws("sample", seed), {}
    while len(found) < count:
        genotype = Genotype(_random_cell(draws), _random_cell(draws))
        found.setdefault(genotype, genotype)
    return list(found)


def neighbours(genotype: Genotype) -> list[Genotype]:
    """Return the genotypes that differ in one operation or one source, in a fixed order.

    Those that DARTS derives have 120 of them: 96 by an operation and 24 by a source. Where the
    genotype has ``none`` or a source twice in a node, the edge that is changed leaves that
    behind. A genotype and its equals have the same neighbours.
    """
    cells = (genotype.canonical.normal, genotype.canonical.reduce)
    found = (
        Genotype(*(changed if which == other else cells[other] for other in range(2)))
        for which in range(2)
        for changed in _changed(cells[which])
    )
    return list(dict.fromkeys(found))


def mutated(genotype: Genotype, seed: int = 0) -> Genotype:
    """Return one of the genotype's `neighbours`, drawn uniformly by (genotype, seed).

    Raises:
        InputError: if the seed is no whole number.
    """
    draws, choices = _draws(f"mutation {genotype.name}", seed), neighbours(genotype)
    return choices[draws.randrange(len(choices))]


def _draws(what: str, seed: int) -> random.Random:
    if type(seed) is not int:
        raise InputError(f"expected a seed, a whole number; got {described(seed)}")
    return random.Random(f"darts {what} {seed}")


def _random_cell(draws: random.Random) -> tuple[Edge, ...]:
    edges: list[Edge] = []
    for pairs in _PAIRS:
        for source in pairs[draws.randrange(len(pairs))]:
            edges.append((DERIVED[draws.randrange(len(DERIVED))], source))
    return tuple(edges)


def _changed(cell: tuple[Edge, ...]) -> list[tuple[Edge, ...]]:
    found = []
    for number, (operation, source) in enumerate(cell):
        other = cell[number ^ 1][1]  # the source of the node's other edge
        edges = [(one, source) for one in DERIVED if one != operation and source != other]
        if operation != "none":
            edges += [
                (operation, one)
                for one in range(INPUTS + number // 2)
                if one not in (source, other)
            ]
        found += [(*cell[:number], edge, *cell[number + 1 :]) for edge in edges]
    return found
