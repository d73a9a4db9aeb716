"""Genotypes of the size space by chance; what is drawn depends on the seed alone."""

import random

from testbed.basis.errors import InputError
from testbed.basis.foreign_text import described
from testbed.spaces.size.genotype import SIZE, Genotype

__all__ = ["mutated", "sample"]


def sample(count: int, seed: int = 0) -> list[Genotype]:
    """Return different genotypes, drawn uniformly; more of a seed begin with the fewer.

    Args:
        count: how many, 0 to 32,768.
        seed: the seed of the draws, a whole number.

    Raises:
        InputError: if one of them is no such number.
    """
    if type(count) is not int or not 0 <= count <= SIZE:
        raise InputError(f"expected a number of networks, 0 to {SIZE:,}; got {described(count)}")
    order = list(range(SIZE))
    _draws("sample", seed).shuffle(order)
    return [Genotype.from_index(index) for index in order[:count]]


def mutated(genotype: Genotype, seed: int = 0) -> Genotype:
    """Return one of the genotype's neighbours, drawn uniformly by (genotype, seed).

    Raises:
        InputError: if the seed is no whole number.
    """
    draws, choices = _draws(f"mutation {genotype.name}", seed), genotype.neighbours()
    return choices[draws.randrange(len(choices))]


def _draws(what: str, seed: int) -> random.Random:
    if type(seed) is not int:
        raise InputError(f"expected a seed, a whole number; got {described(seed)}")
    return random.Random(f"size {what} {seed}")
