"""Random search without replacement, the baseline of every other.

Li and Talwalkar, "Random Search and Reproducibility for Neural Architecture Search", UAI 2019.
"""

import random

from evaluation.search.base import Ask
from evaluation.search.space import Space

__all__ = ["random_search"]


def random_search(space: Space, ask: Ask, source: random.Random) -> None:
    """Ask for random candidates; one that is drawn again costs no query."""
    while True:
        ask(space.sample(source))
