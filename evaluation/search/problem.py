"""The problem of a search: an objective, its candidates, and their known accuracies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from evaluation.search.cells import published_ids
from evaluation.search.objectives import Objective, ObjectiveError, Tabular, truth_objective
from evaluation.search.proxy_scores import all_proxies, choose_proxies
from evaluation.truths.published import Truth

__all__ = ["Problem", "proxy_problem", "truth_problem"]


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
    """

    objective: Objective
    members: tuple[int, ...] | None
    accuracies: Callable[[], pd.DataFrame]
    complete: bool
    proxy: str | None = None


def truth_problem(truth: Truth, words: Sequence[str], scores: pd.DataFrame) -> Problem:
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
    accuracies = targets.reindex(published_ids()).reset_index(drop=True)
    if any(_is_proxy(word, scores) and word not in targets for word in words):
        return proxy_problem(words, scores, accuracies)
    objective = truth_objective(targets, words)
    return Problem(objective, objective.members(), lambda: accuracies, complete=True)


def proxy_problem(
    words: Sequence[str], scores: pd.DataFrame, accuracies: pd.DataFrame | None = None
) -> Problem:
    """Return the search for the best score of a proxy; it needs no truth.

    Args:
        words: one proxy.
        scores: the scores of a store.
        accuracies: the accuracies by candidate, for the tables.

    Raises:
        RankingError: if the proxy is unknown.
        ObjectiveError: if there are several words.
    """
    if len(words) != 1:
        raise ObjectiveError(f"a proxy is an objective of its own; got {', '.join(words)}")
    (proxy,) = choose_proxies(scores, words)
    objective = Tabular((proxy.name,), proxy.values[:, None])
    shown = pd.DataFrame(proxy.values, columns=[proxy.name]) if accuracies is None else accuracies
    return Problem(objective, objective.members(), lambda: shown, True, proxy.name)


def _is_proxy(word: str, scores: pd.DataFrame) -> bool:
    name = word.removeprefix("-")
    return any(name in (label, label.partition(" (")[0]) for label in all_proxies(scores))
