"""The paths of a cell: how much smooths or mixes a signal between input and output.

A path is a way from the cell's input to its output over edges none of which is ``none``; a cell
has up to four. Counted are the operations on each, and of all paths the least or the mean is
taken. So a single path of skips and 1×1 convolutions, over which the input gets through
unsmoothed, is seen. Nothing is built or drawn.

A cell without a path has the value 0 in every statistic: nothing smooths a signal that is not
there.
"""

from collections.abc import Callable, Collection
from functools import cache, partial

from testbed.spaces.nasbench201.genotype import EDGES, NODES, Genotype

__all__ = ["PATH_STATISTICS", "least", "live_count", "live_paths", "mean", "number_of_paths"]

POOL, CONV3, CONV1, SKIP = "avg_pool_3x3", "nor_conv_3x3", "nor_conv_1x1", "skip_connect"


def live_paths(genotype: Genotype) -> list[tuple[str, ...]]:
    """Return the operations on each path from input to output, the input's first.

    >>> live_paths(Genotype(("none", "avg_pool_3x3", "none", "none", "none", "skip_connect")))
    [('avg_pool_3x3', 'skip_connect')]
    """
    operations = genotype.operations
    return [
        tuple(operations[edge] for edge in path)
        for path in _paths(NODES - 1)
        if all(operations[edge] != "none" for edge in path)
    ]


def live_count(genotype: Genotype, operation: str) -> float:
    """Return on how many live edges an operation stands."""
    return float(sum(genotype.operations[edge] == operation for edge in genotype.live_edges()))


def least(genotype: Genotype, counted: Collection[str]) -> float:
    """Return the fewest of the counted operations on any live path; 0 without a path."""
    return float(min(_counts(genotype, counted), default=0))


def mean(genotype: Genotype, counted: Collection[str]) -> float:
    """Return the mean number of the counted operations on a live path; 0 without a path."""
    counts = _counts(genotype, counted)
    return sum(counts) / len(counts) if counts else 0.0


def number_of_paths(genotype: Genotype) -> float:
    """Return the number of live paths, 0 to 4."""
    return float(len(live_paths(genotype)))


def _counts(genotype: Genotype, counted: Collection[str]) -> list[int]:
    return [sum(operation in counted for operation in path) for path in live_paths(genotype)]


@cache
def _paths(node: int) -> tuple[tuple[int, ...], ...]:
    """Return the edges of every path from the input to a node, whatever its operations."""
    if node == 0:
        return ((),)
    return tuple(
        (*before, edge)
        for edge, (source, target) in enumerate(EDGES)
        if target == node
        for before in _paths(source)
    )


def _statistics() -> dict[str, Callable[[Genotype], float]]:
    kinds = {"pool": POOL, "conv3": CONV3, "conv1": CONV1, "skip": SKIP}
    found: dict[str, Callable[[Genotype], float]] = {"paths_count": number_of_paths}
    for name, operation in kinds.items():
        found[f"paths_{name}_min"] = partial(least, counted=(operation,))
        found[f"paths_{name}_mean"] = partial(mean, counted=(operation,))
    found["paths_conv3_pool_mean"] = partial(mean, counted=(CONV3, POOL))
    return found


# By the names of the proxies that they are.
PATH_STATISTICS = _statistics()
