"""Genotypes of DARTS by chance, drawn alike for ever: figures of some are recorded in tests."""

import itertools
import random

from testbed.spaces.darts.genotype import INPUTS, NODES, Genotype
from testbed.spaces.darts.neighbours import DERIVED

PAIRS = tuple(tuple(itertools.combinations(range(INPUTS + node), 2)) for node in range(NODES))


def sample(count, seed=0):
    """Different genotypes, each drawn uniformly; more of a seed begin with the fewer."""
    draws, found = random.Random(f"darts sample {seed}"), {}
    while len(found) < count:
        genotype = Genotype(_random_cell(draws), _random_cell(draws))
        found.setdefault(genotype, genotype)
    return list(found)


def _random_cell(draws):
    edges = []
    for pairs in PAIRS:
        for source in pairs[draws.randrange(len(pairs))]:
            edges.append((DERIVED[draws.randrange(len(DERIVED))], source))
    return tuple(edges)
