"""What a genotype of DARTS is called where a truth holds one."""

from typing import Any

from evaluation.truths.facts import TruthError
from testbed.basis.foreign_text import described
from testbed.spaces.registry import get, names

__all__ = ["SPACE", "genotype_name"]

SPACE = "darts"
OPERATIONS = (
    "none", "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5",
    "dil_conv_3x3", "dil_conv_5x5",
)  # fmt: skip
NODES, INPUTS = 4, 2


def genotype_name(genotype: Any, where: str) -> str:
    """Return the canonical name of a genotype in the JSON form of Tiny-RobustBench.

    It is the text of the public tuple, ``Genotype(normal=[('sep_conv_3x3', 0), …], …)``, the two
    edges of a node ordered by their source: they are added, so that their order means nothing.

    Raises:
        TruthError: if it has another form.
    """
    if not isinstance(genotype, dict):
        raise TruthError(f"{where}: expected a genotype, found {described(genotype)}")
    parts = []
    for cell, concat in (("normal", "normal_concat"), ("reduce", "reduce_concate")):
        nodes = genotype.get(concat, genotype.get(concat.removesuffix("e")))
        if nodes != list(range(INPUTS, INPUTS + NODES)):
            raise TruthError(f"{where}: expected {concat} of all nodes, found {described(nodes)}")
        edges = _edges(genotype.get(cell), f"{where}: {cell}")
        parts.append(f"{cell}={edges}, {cell}_concat=range({INPUTS}, {INPUTS + NODES})")
    text = f"Genotype({', '.join(parts)})"
    if SPACE not in names():
        return text
    space = get(SPACE)
    return space.name(space.representative(space.parse(text)))


def _edges(cell: Any, where: str) -> list[tuple[str, int]]:
    if not isinstance(cell, list) or len(cell) != 2 * NODES:
        raise TruthError(f"{where}: expected {2 * NODES} edges, found {described(cell)}")
    edges = []
    for place, edge in enumerate(cell):
        right = isinstance(edge, list) and len(edge) == 2 and edge[0] in OPERATIONS
        if not right or type(edge[1]) is not int or not 0 <= edge[1] < INPUTS + place // 2:
            said = "an operation of DARTS and a node before it"
            raise TruthError(f"{where}: expected {said}, found {described(edge)}")
        edges.append((edge[0], edge[1]))
    pairs = (edges[i : i + 2] for i in range(0, len(edges), 2))
    return [edge for pair in pairs for edge in sorted(pair, key=lambda edge: (edge[1], edge[0]))]
