"""The statistics of one score column with every target, on one sample of networks."""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from evaluation.correlation import (
    TauB,
    confidence_interval,
    noise_ceiling,
    partial_from,
    tau_b,
    tau_difference,
    tie_fraction,
)
from evaluation.correlation.rank_measures import (
    hyperbolic_weights,
    mean_ranks,
    spearman_from,
    top_count,
    top_members,
    weighted_from,
)
from evaluation.correlation.tau_b import dense_ranks, pair_sums, tau_from

__all__ = ["DIFFERENCES", "MANY_TIES", "PairStatistics"]

MANY_TIES = 0.5
DIFFERENCES = ("params", "paths")  # the baselines that each score is compared with


class PairStatistics:
    """The part that all score columns share: targets, variables partialled out, ceilings.

    Args:
        accuracies: the targets; the index is the sample.
        clean: the clean accuracies of the sample, NaN where the truth has none.
        params: the parameter counts of the sample, NaN where they are not known.
        paths: the structural baseline of the sample, NaN where the space has none.
        twins: the places of networks of one function, trained separately.
        top: the fraction of networks that top-k precision looks at.
    """

    def __init__(
        self,
        accuracies: pd.DataFrame,
        clean: np.ndarray,
        params: np.ndarray,
        paths: np.ndarray,
        twins: Sequence[Sequence[int]],
        top: float,
    ) -> None:
        # Ranks, not values: they are the same to every statistic, and shared by all columns.
        self._targets = {str(name): dense_ranks(accuracies[name].to_numpy()) for name in accuracies}
        self._means = {name: mean_ranks(y) for name, y in self._targets.items()}
        self._count = top_count(len(accuracies), top)
        self._tops = {name: top_members(y, self._count) for name, y in self._targets.items()}
        self._weights = {name: hyperbolic_weights(y) for name, y in self._targets.items()}
        self._given = {"clean": clean, "params": params, "paths": paths}
        self._given = {k: v for k, v in self._given.items() if not np.isnan(v).any()}
        self._with_given = {
            name: {given: tau_b(y, z) for given, z in self._given.items()}
            for name, y in self._targets.items()
        }
        self._of_baselines = None
        self._paths_given_params: dict[str, TauB] = {}
        if {"params", "paths"} <= self._given.keys():
            self._of_baselines = tau_b(params, paths)
            self._paths_given_params = {
                name: partial_from(given["paths"], given["params"], self._of_baselines)
                for name, given in self._with_given.items()
            }
        self._facts = {
            name: {
                "tie_fraction": tie_fraction(y),
                "ceiling": noise_ceiling(accuracies[name], twins),
            }
            for name, y in self._targets.items()
        }

    def of(self, values: np.ndarray, baseline: bool) -> Iterator[tuple[str, TauB, dict]]:
        """Yield, for each target, its name, τ-b with the score, and the rest of the row.

        Args:
            values: the score of each network of the sample.
            baseline: whether the score is not to be compared with the baselines.
        """
        given = {name: tau_b(values, z) for name, z in self._given.items()}
        own_ties, x = tie_fraction(values), dense_ranks(values)
        means = mean_ranks(x)
        # As one who uses it would: turned around where it ranks the wrong way round.
        tops = [top_members(oriented, self._count) for oriented in (x, -x)]
        for name, y in self._targets.items():
            sums, facts = pair_sums(x, y), self._facts[name]
            tau = tau_from(sums)
            low, high = confidence_interval(tau)
            row = {
                "tau": tau.tau,
                "standard_error": tau.known_error,
                "tie_fraction": facts["tie_fraction"],
                "ties_flag": facts["tie_fraction"] > MANY_TIES,
                "low": low,
                "high": high,
                "spearman": spearman_from(means, self._means[name]),
                "weighted_tau": weighted_from(sums, self._weights[name]),
                "top_precision": float(tops[tau.tau < 0] @ self._tops[name]) / self._count,
            }
            for other in ("clean", "params", "paths"):
                row |= self._partial(other, tau, given.get(other), name)
            row |= self._given_both(tau, given, name)
            row |= {
                "ceiling": facts["ceiling"],
                **self._differences(tau, name, baseline),
                "score_tie_fraction": own_ties,
                "degenerate": _degenerate(own_ties, facts["tie_fraction"]),
            }
            yield name, tau, row

    def _partial(self, other: str, tau: TauB, score: TauB | None, target: str) -> dict[str, float]:
        if score is None:
            return {f"partial_{other}": math.nan, f"partial_{other}_error": math.nan}
        return _named(f"partial_{other}", partial_from(tau, score, self._with_given[target][other]))

    def _given_both(self, tau: TauB, given: Mapping[str, TauB], target: str) -> dict[str, float]:
        if self._of_baselines is None:
            return {"partial_both": math.nan, "partial_both_error": math.nan}
        # Kendall's recursion: of three partial τ-b given params, the one given both.
        both = partial_from(
            partial_from(tau, given["params"], self._with_given[target]["params"]),
            partial_from(given["paths"], given["params"], self._of_baselines),
            self._paths_given_params[target],
        )
        return _named("partial_both", both)

    def _differences(self, tau: TauB, target: str, baseline: bool) -> dict[str, float]:
        found: dict[str, float] = {}
        for other in DIFFERENCES:
            given = None if baseline else self._with_given[target].get(other)
            found |= _difference(other, tau, given)
        return found


def _named(name: str, tau: TauB) -> dict[str, float]:
    return {name: tau.tau, f"{name}_error": tau.known_error}


def _difference(other: str, tau: TauB, given: TauB | None) -> dict[str, float]:
    """Return by how much a score's |τ-b| exceeds that of a baseline."""
    value = error = p = math.nan
    if given is not None:
        # A baseline that is constant ranks nothing: there is nothing to exceed.
        difference = tau_difference(tau, given, sign=-1 if tau.tau * given.tau < 0 else 1)
        value = -difference.value if tau.tau < 0 else difference.value
        error, p = difference.standard_error, difference.p
    name = f"difference_{other}"
    return {name: value, f"{name}_error": error, f"{name}_p": p}


def _degenerate(score_ties: float, target_ties: float) -> str:
    """Return the faults of a pair: "constant score; tied target", or an empty text."""
    found = []
    for what, ties in (("score", score_ties), ("target", target_ties)):
        if ties == 1:
            found.append(f"constant {what}")
        elif ties > MANY_TIES:
            found.append(f"tied {what}")
    return "; ".join(found)
