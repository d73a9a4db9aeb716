"""All search algorithms in one table."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from testbed.basis.errors import ToolkitError, did_you_mean
from testbed.basis.lazy import Later

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from evaluation.search.base import Proxy, Searcher

__all__ = ["ALGORITHMS", "Algorithm", "UnknownAlgorithmError", "choose"]

WARM_UP = 1000
OFFSPRING = 10


class UnknownAlgorithmError(ToolkitError):
    """A name that is not in the table, or an algorithm without the proxy that it needs."""


@dataclass(frozen=True)
class Algorithm:
    """An algorithm and what is to be known of it.

    Attributes:
        name: as on the command line.
        function: ``function(space, ask, source, **options)``; imported when it searches.
        summary: one line for ``--help``.
        needs: ``proxy`` if it takes one, ``features`` if it takes those of several at once,
            ``structure`` if it takes what the genotypes alone say, and no proxy.
        options: what differs from the function's defaults.
        slow: whether a run takes more than a few hundredths of a second.
        extra: the optional dependency that it needs; ``all`` leaves it out.
    """

    name: str
    function: Any
    summary: str
    needs: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    extra: str | None = None
    slow: bool = False

    @property
    def looks_at_proxies(self) -> bool:
        """Say whether a proxy that is given makes a difference to it."""
        return self.needs in ("proxy", "features")

    def searcher(
        self, proxy: "Proxy | None" = None, features: "NDArray[np.float32] | None" = None
    ) -> "Searcher":
        """Return the algorithm with its options and what it looks at for nothing."""
        given = {"proxy": proxy} if self.needs == "proxy" else {}
        if self.needs in ("features", "structure") and features is not None:
            given = {"features": features}
        return partial(self.function, **self.options, **given)


def _own_file(name: str) -> Later:
    return Later(f"evaluation.search.{name}:{name}")


random_search, evolution = _own_file("random_search"), _own_file("evolution")
local_search, ranked = _own_file("local_search"), _own_file("ranked")
bananas, tpe, predictor = map(_own_file, ("bananas", "tpe", "predictor"))

_TABLE = (
    Algorithm("random", random_search, "random search without replacement"),
    Algorithm("evolution", evolution, "regularised evolution"),
    Algorithm("local", local_search, "local search; with a proxy, local-ordered"),
    Algorithm("bananas", bananas, "BANANAS: an ensemble of networks, Thompson sampling", slow=True),
    Algorithm("tpe", tpe, "Optuna's tree-structured Parzen estimator", extra="optuna", slow=True),
    Algorithm("rank", ranked, "everything ranked by the proxy, the best verified", "proxy"),
    Algorithm(
        "local-ordered", local_search, "local search, neighbours in the proxy's order", "proxy"
    ),
    Algorithm(
        "evolution-warm-up", evolution,
        f"evolution from the proxy's best 30 of {WARM_UP:,} random networks", "proxy",
        {"warm_up": WARM_UP},
    ),
    Algorithm(
        "evolution-filtered", evolution,
        f"evolution, each child the proxy's best of {OFFSPRING} mutants", "proxy",
        {"offspring": OFFSPRING},
    ),
    Algorithm(
        "predictor", predictor, "a random forest on encodings and all proxies given", "features",
        slow=True,
    ),
    Algorithm(
        "predictor-structure", predictor,
        "a random forest on encodings, paths and operation counts: the baseline of every proxy",
        "structure", slow=True,
    ),
)  # fmt: skip


def _index(table: tuple[Algorithm, ...]) -> dict[str, Algorithm]:
    index = {algorithm.name: algorithm for algorithm in table}
    if len(index) != len(table):
        raise ValueError(f"a name stands twice in the table: {sorted(a.name for a in table)}")
    return index


ALGORITHMS = _index(_TABLE)


def choose(words: Sequence[str], with_proxy: bool) -> list[Algorithm]:
    """Return the algorithms that are named, each once.

    ``all`` names all that can run with what is given, but for those with an extra dependency.
    ``local`` alone is local-ordered where there is a proxy: in that order a bad proxy costs
    little, where a warm-up lets it choose.

    Raises:
        UnknownAlgorithmError: for a name not in the table, or a proxy that is missing.
    """
    chosen: list[Algorithm] = []
    for word in words:
        if word == "all":
            chosen += [
                algorithm
                for algorithm in ALGORITHMS.values()
                if algorithm.extra is None and (with_proxy or algorithm.needs != "proxy")
            ]
            continue
        if word not in ALGORITHMS:
            raise UnknownAlgorithmError(
                f"unknown algorithm {word!r}{did_you_mean(word, ALGORITHMS)}; known are all, "
                f"{', '.join(ALGORITHMS)}"
            )
        name = "local-ordered" if word == "local" and with_proxy else word
        if ALGORITHMS[name].needs == "proxy" and not with_proxy:
            raise UnknownAlgorithmError(f"{name} needs a proxy: add --proxy params, for instance")
        chosen.append(ALGORITHMS[name])
    if not chosen:
        raise UnknownAlgorithmError(f"no algorithm named; known are all, {', '.join(ALGORITHMS)}")
    return list({algorithm.name: algorithm for algorithm in chosen}.values())
