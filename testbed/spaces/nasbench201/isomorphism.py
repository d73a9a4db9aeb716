"""The 6,466 isomorphism classes among the 15,625 architectures.

The published classes come from a canonical string that each cell is rewritten
to. It is taken literally here, with its blind spots: a ``#`` (zero) that is
added to something stays inside the sum, a skip passes its source's sum through
without sorting it into the sum it joins. Stronger canonical forms find fewer
classes (5,390 or 4,930) and do not agree with the published files.
"""

from functools import cache

from testbed.spaces.nasbench201.genotype import EDGES, NODES, Genotype, enumerate_space

__all__ = ["canonical_string", "representative", "representatives", "unique_ids"]

ZERO = "#"


def canonical_string(genotype: Genotype) -> str:
    """Return a string that is the same for all members of one isomorphism class.

    Node 0 is ``0``. A node is the sorted sum of its incoming terms: ``#`` for
    ``none`` or for a source that is exactly ``#``, the source itself for a skip,
    ``(source)@operation`` otherwise.
    """
    nodes = ["0"]
    for node in range(1, NODES):
        terms = [
            _term(operation, nodes[source])
            for (source, target), operation in zip(EDGES, genotype.operations, strict=True)
            if target == node
        ]
        nodes.append("+".join(sorted(terms)))
    return nodes[-1]


def _term(operation: str, source: str) -> str:
    if operation == "none" or source == ZERO:
        return ZERO
    return source if operation == "skip_connect" else f"({source})@{operation}"


@cache
def representatives() -> tuple[int, ...]:
    """Return, for every published id, the lowest id of its isomorphism class."""
    lowest: dict[str, int] = {}
    return tuple(
        lowest.setdefault(canonical_string(genotype), index)
        for index, genotype in enumerate(enumerate_space())
    )


def representative(genotype: Genotype) -> Genotype:
    """Return the member with the lowest published id of the genotype's class."""
    return Genotype.from_index(representatives()[genotype.index])


def unique_ids() -> tuple[int, ...]:
    """Return the published ids of the 6,466 representatives, ascending."""
    return tuple(i for i, lowest in enumerate(representatives()) if i == lowest)
