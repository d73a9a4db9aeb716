"""The problem of a search: an objective, its candidates, and their known accuracies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pandas as pd

from evaluation.ranking.roster import Roster
from evaluation.search.candidates import Candidates, default_candidates, of_index
from evaluation.search.objectives import Objective, ObjectiveError, Tabular, truth_objective
from evaluation.search.proxy_scores import all_proxies, choose_proxies
from evaluation.truths import AnyTruth
from testbed.command.job import Ending

__all__ = ["Problem", "proxy_problem", "truth_candidates", "truth_problem"]


@dataclass(frozen=True)
class Problem:
    """An objective with its candidates and their known accuracies.

    Attributes:
        objective: the objective that is maximised.
        members: the candidates that may be asked for; None for all cells.
        accuracies: returns the accuracies that are known by now, in [0, 1], by candidate.
        complete: whether those of all candidates are known before the search, which then has
            a known optimum.
        proxy: the proxy whose score is the objective; None if accuracies are.
        candidates: all there are, members or not.
        ending: of the run that trains and attacks, which says what failed.
    """

    objective: Objective
    members: tuple[int, ...] | None
    accuracies: Callable[[], pd.DataFrame]
    complete: bool
    proxy: str | None = None
    candidates: Candidates = field(default_factory=default_candidates, repr=False)
    ending: Ending = field(default_factory=lambda: Ending(0), repr=False)


def truth_candidates(truth: AnyTruth) -> Candidates:
    """Return the candidates of a truth's networks."""
    targets = truth.targets()
    return of_index(targets.index, Roster.of(truth, targets))


def truth_problem(truth: AnyTruth, words: Sequence[str], scores: pd.DataFrame) -> Problem:
    """Return the search for the best accuracies of a truth, or for the best score of a proxy.

    Args:
        truth: an open truth.
        words: targets, or one proxy.
        scores: the scores of a store, for the proxy.

    Raises:
        RankingError: if a word is neither.
        ObjectiveError: if nothing is left to search among, or a proxy stands beside others.
    """
    targets = truth.targets()
    candidates = of_index(targets.index, Roster.of(truth, targets))
    accuracies = candidates.values(targets)
    if any(_is_proxy(word, scores, candidates) and word not in targets for word in words):
        return proxy_problem(words, scores, accuracies, candidates)
    objective = truth_objective(targets, words, candidates)
    members = objective.members(candidates)
    return Problem(objective, members, lambda: accuracies, complete=True, candidates=candidates)


def proxy_problem(
    words: Sequence[str],
    scores: pd.DataFrame,
    accuracies: pd.DataFrame | None = None,
    candidates: Candidates | None = None,
) -> Problem:
    """Return the search for the best score of a proxy; it needs no truth.

    Args:
        words: one proxy.
        scores: the scores of a store.
        accuracies: the accuracies by candidate, for the tables.
        candidates: all there are; None for those of NAS-Bench-201.

    Raises:
        RankingError: if the proxy is unknown.
        ObjectiveError: if there are several words.
    """
    if len(words) != 1:
        raise ObjectiveError(f"a proxy is an objective of its own; got {', '.join(words)}")
    candidates = candidates or default_candidates()
    (proxy,) = choose_proxies(scores, words, candidates)
    objective = Tabular((proxy.name,), proxy.values[:, None])
    shown = pd.DataFrame(proxy.values, columns=[proxy.name]) if accuracies is None else accuracies
    members = objective.members(candidates)
    return Problem(objective, members, lambda: shown, True, proxy.name, candidates)


def _is_proxy(word: str, scores: pd.DataFrame, candidates: Candidates) -> bool:
    name = word.removeprefix("-")
    known = all_proxies(scores, candidates)
    return any(name in (label, label.partition(" (")[0]) for label in known)
