"""Genotypes that are one step away; the search draws by `SearchSpace.draw`, and steps to these.

They keep to what DARTS derives: the two edges of a node read different nodes and no operation is
``none``.
"""

from testbed.spaces.darts.genotype import INPUTS, OPERATIONS, Edge, Genotype

__all__ = ["DERIVED", "neighbours"]

DERIVED = OPERATIONS[1:]


def neighbours(genotype: Genotype) -> list[Genotype]:
    """Return the genotypes that differ in one operation or one source, in a fixed order.

    Those that DARTS derives have 120 of them: 96 by an operation and 24 by a source. Where the
    genotype has ``none`` or a source twice in a node, the edge that is changed leaves that
    behind. A genotype and its equals have the same neighbours.
    """
    cells = (genotype.canonical.normal, genotype.canonical.reduce)
    found = (
        Genotype(*(changed if which == other else cells[other] for other in range(2)))
        for which in range(2)
        for changed in _changed(cells[which])
    )
    return list(dict.fromkeys(found))


def _changed(cell: tuple[Edge, ...]) -> list[tuple[Edge, ...]]:
    found = []
    for number, (operation, source) in enumerate(cell):
        other = cell[number ^ 1][1]  # the source of the node's other edge
        edges = [(one, source) for one in DERIVED if one != operation and source != other]
        if operation != "none":
            edges += [
                (operation, one)
                for one in range(INPUTS + number // 2)
                if one not in (source, other)
            ]
        found += [(*cell[:number], edge, *cell[number + 1 :]) for edge in edges]
    return found
