"""Regularised evolution: the best of a tournament has a child, the oldest dies.

Real, Aggarwal, Huang and Le, "Regularized Evolution for Image Classifier Architecture Search",
AAAI 2019. Population, tournament and mutation are those of Jung et al., ICLR 2023.

A child is a candidate that was not asked for yet: an old one would cost nothing, and a
population of repetitions would be smaller than it says.
"""

import random
from collections import deque

from evaluation.search.base import Ask, Proxy
from evaluation.search.space import Space

__all__ = ["evolution"]

TRIES = 100


def evolution(
    space: Space,
    ask: Ask,
    source: random.Random,
    *,
    population: int = 30,
    tournament: int = 10,
    probability: float = 0.25,
    warm_up: int = 0,
    offspring: int = 1,
    proxy: Proxy | None = None,
) -> None:
    """Evolve a population.

    Args:
        space: the space of the candidates.
        ask: returns the score of a candidate.
        source: the generator of all draws.
        population: the number of candidates alive at a time.
        tournament: the number of them that are drawn without replacement; the best of these
            has a child.
        probability: the probability of each choice of the parent to be redrawn.
        warm_up: the number of random candidates of which those with the best proxy scores are
            the first population; 0 for a random population.
        offspring: the number of mutants of which the one with the best proxy score is the child.
        proxy: returns a cheap score of a candidate, larger promising more.
    """
    first = space.distinct(max(warm_up, population), source)
    if warm_up and proxy is not None:
        first.sort(key=proxy, reverse=True)
    alive = deque((ask(candidate), candidate) for candidate in first[:population])
    seen = {candidate for _, candidate in alive}
    while True:
        drawn = source.sample(alive, min(tournament, len(alive)))
        parent = max(drawn, key=lambda member: member[0])[1]
        children = [_child(space, parent, seen, source, probability) for _ in range(offspring)]
        child = max(children, key=proxy) if proxy is not None else children[0]
        alive.append((ask(child), child))
        seen.add(child)
        alive.popleft()


def _child(
    space: Space, parent: int, seen: set[int], source: random.Random, probability: float
) -> int:
    for _ in range(TRIES):
        child = space.mutate(parent, source, probability)
        if child not in seen:
            return child
    while (child := space.sample(source)) in seen and len(seen) < len(space):
        pass  # around this parent everything is known
    return child
