"""What a genotype of DARTS is called where a truth holds one."""

from typing import Any

from evaluation.truths.facts import TruthError
from testbed.basis.foreign_text import described
from testbed.spaces.darts.genotype import CONCAT, INPUTS, NODES, OPERATIONS, Edge, Genotype

__all__ = ["SPACE", "genotype_name"]

SPACE = "darts"


def genotype_name(genotype: Any, where: str) -> str:
    """Return the canonical name of a genotype in the JSON form of Tiny-RobustBench.

    Raises:
        TruthError: if it has another form.
    """
    if not isinstance(genotype, dict):
        raise TruthError(f"{where}: expected a genotype, found {described(genotype)}")
    cells = []
    for cell, concat in (("normal", "normal_concat"), ("reduce", "reduce_concate")):
        nodes = genotype.get(concat, genotype.get(concat.removesuffix("e")))
        if nodes != list(CONCAT):
            raise TruthError(f"{where}: expected {concat} of all nodes, found {described(nodes)}")
        cells.append(_edges(genotype.get(cell), f"{where}: {cell}"))
    return Genotype(*cells).name


def _edges(cell: Any, where: str) -> tuple[Edge, ...]:
    if not isinstance(cell, list) or len(cell) != 2 * NODES:
        raise TruthError(f"{where}: expected {2 * NODES} edges, found {described(cell)}")
    edges = []
    for place, edge in enumerate(cell):
        right = isinstance(edge, list) and len(edge) == 2 and edge[0] in OPERATIONS
        if not right or type(edge[1]) is not int or not 0 <= edge[1] < INPUTS + place // 2:
            said = "an operation of DARTS and a node before it"
            raise TruthError(f"{where}: expected {said}, found {described(edge)}")
        edges.append((edge[0], edge[1]))
    return tuple(edges)
