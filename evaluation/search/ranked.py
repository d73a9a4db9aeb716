"""Rank all candidates by a proxy, and ask for the best: the simplest search there is.

Abdelfattah, Mehrotra, Dudziak and Lane, "Zero-Cost Proxies for Lightweight NAS", ICLR 2021.
"""

import random

from evaluation.search.base import Ask, Proxy
from evaluation.search.space import Space

__all__ = ["ranked", "top"]

POOL = 100_000


def ranked(space: Space, ask: Ask, source: random.Random, *, proxy: Proxy) -> None:
    """Ask for the candidates in the order of their proxy scores; ties are ordered at random.

    Of a space of more than 100,000 candidates, 100,000 random ones are ranked.
    """
    for candidate in top(space, proxy, source):
        ask(candidate)
    while True:  # the budget is larger than what was ranked
        ask(space.sample(source))


def top(space: Space, proxy: Proxy, source: random.Random) -> list[int]:
    """Return the candidates, best first."""
    candidates = space.distinct(POOL, source)
    return sorted(candidates, key=proxy, reverse=True)
