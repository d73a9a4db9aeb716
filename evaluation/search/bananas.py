"""BANANAS: ask for what an ensemble of predictors promises, with its doubt drawn at random.

White, Neiswanger and Savani, "BANANAS: Bayesian Optimization with Neural Architectures for
Neural Architecture Search", AAAI 2021.

The networks have three layers of 20 units rather than ten, and see all data in every one of
50 steps: they are fitted 29 times in a run of 300 queries. Four times as many steps found
nothing better.
"""

import random

import numpy as np

from evaluation.search.base import Ask
from evaluation.search.ensemble import Ensemble
from evaluation.search.space import Space

__all__ = ["bananas"]

FLOOR = 1e-6


def bananas(
    space: Space,
    ask: Ask,
    source: random.Random,
    *,
    initial: int = 10,
    batch: int = 10,
    parents: int = 10,
    mutants: int = 100,
    probability: float = 0.25,
    networks: int = 5,
    steps: int = 50,
) -> None:
    """Alternate between fitting the ensemble and asking for what it likes.

    Args:
        space: of the candidates; its encoding is what the networks see.
        ask: for scores.
        source: of all draws.
        initial: random candidates asked for at first.
        batch: candidates asked for between two fits.
        parents: the best so far, whose mutants are looked at.
        mutants: how many.
        probability: of each choice to be redrawn in a mutant.
        networks: of the ensemble.
        steps: of training.
    """
    draws = np.random.default_rng(source.getrandbits(64))
    known = {candidate: ask(candidate) for candidate in space.distinct(initial, source)}
    while True:
        finite = [candidate for candidate, value in known.items() if value > -np.inf]
        chosen = _mutants(space, known, source, parents, mutants, probability)
        if finite and len(chosen) > batch:
            ensemble = Ensemble(space.encode(chosen[:1]).shape[1], draws, networks)
            ensemble.fit(space.encode(finite), [known[c] for c in finite], steps)
            mean, spread = ensemble.predict(space.encode(chosen))
            # Independent Thompson sampling: one draw for each candidate.
            promise = draws.normal(mean, np.maximum(spread, FLOOR))
            chosen = [chosen[place] for place in np.argsort(-promise, kind="stable")]
        for candidate in chosen[:batch]:
            known[candidate] = ask(candidate)


def _mutants(
    space: Space,
    known: dict[int, float],
    source: random.Random,
    parents: int,
    mutants: int,
    probability: float,
) -> list[int]:
    """Return candidates not asked for yet: mutants of the best, else random ones."""
    best = sorted(known, key=lambda candidate: known[candidate], reverse=True)[:parents]
    drawn = (space.mutate(best[n % len(best)], source, probability) for n in range(mutants))
    found = [candidate for candidate in dict.fromkeys(drawn) if candidate not in known]
    while not found and len(known) < len(space):
        found = [c for c in space.distinct(mutants, source) if c not in known]
    return found or [next(iter(known))]  # everything is known: asking again ends the search
