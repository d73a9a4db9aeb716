"""Local search: go to the first better neighbour; start again where there is none.

White, Nolen and Savani, "Exploring the Loss Landscape in Neural Architecture Search",
UAI 2021.
"""

import random

from evaluation.search.base import Ask, Proxy
from evaluation.search.space import Space

__all__ = ["local_search"]


def local_search(
    space: Space,
    ask: Ask,
    source: random.Random,
    *,
    initial: int = 10,
    proxy: Proxy | None = None,
) -> None:
    """Climb from the best of some random candidates, again and again.

    Args:
        space: the space of the candidates.
        ask: returns the score of a candidate.
        source: the generator of all draws.
        initial: the number of random candidates at every start.
        proxy: returns a cheap score of a candidate, larger promising more; neighbours are asked
            for in its order rather than in a random one.
    """
    while True:
        place = max(space.distinct(initial, source), key=ask)
        while (better := _better(space, place, ask, source, proxy)) is not None:
            place = better


def _better(
    space: Space, place: int, ask: Ask, source: random.Random, proxy: Proxy | None
) -> int | None:
    neighbours = space.neighbours(place)
    source.shuffle(neighbours)  # with a proxy too: it may tie some
    if proxy is not None:
        neighbours.sort(key=proxy, reverse=True)
    height = ask(place)
    return next((candidate for candidate in neighbours if ask(candidate) > height), None)
