"""BANANAS: an ensemble of predictors, whose uncertainty is drawn at random, makes the choice.

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
    """Alternate between fitting the ensemble and asking for the candidates it predicts best.

    Args:
        space: the space of the candidates; its encoding is the input of the networks.
        ask: returns the score of a candidate.
        source: the generator of all draws.
        initial: the number of random candidates that are asked for first.
        batch: the number of candidates that are asked for between two fits.
        parents: the number of best candidates so far whose mutants are predicted.
        mutants: the number of mutants.
        probability: the probability of each choice to be redrawn in a mutant.
        networks: the number of networks in the ensemble.
        steps: the number of steps of their training.
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
