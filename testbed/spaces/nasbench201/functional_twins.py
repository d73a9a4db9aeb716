"""Networks that compute the same function but were trained separately.

The 6,466 published classes go by strings and miss identities: a zero that is summed, the
order of a sum that a skip passes on, edges from which no path leads to the output. Two
networks are twins here if one becomes the other by renaming its convolutions, so that with
their weights copied they are equal for every input, and training them is the same
experiment with other random numbers:

- ``none`` and what reads only zeros add nothing, but a convolution of zero adds the bias of
  its batch norm, whatever its kernel: 1×1 and 3×3 are equal there;
- a skip adds the terms of its source, and sums commute;
- average pooling is linear, so it pools each term; a constant stays as it is;
- each convolution has weights of its own: two parallel ones are not one, and one that is
  read twice is not two.

Not identified, because they hold for the set of functions but not for its training: a bias
that another batch norm could absorb, the scale of what a normalised convolution reads.
"""

import itertools
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from testbed.spaces.nasbench201.genotype import EDGES, NODES, Genotype

__all__ = ["FunctionalForm", "functional_form", "functional_twins"]

# A term is (edge of its convolution, how often pooled), the input being edge −1; a node is how
# often it has each term.
Node = Counter[tuple[int, int]]
INPUT = -1
CONSTANT = "constant"


@dataclass(frozen=True)
class FunctionalForm:
    """A cell without the names of its convolutions.

    Attributes:
        form: is equal for cells that compute the same function of the same weights.
        convolutions: the edges of the live convolutions, in the order of the form. The weights
            of one twin's convolution belong to the other's at the same place.
        constant: the convolutions that read zeros, and so emit only their batch norm's bias.
    """

    form: tuple
    convolutions: tuple[int, ...]
    constant: frozenset[int]


def functional_twins(ids: Iterable[int]) -> list[tuple[int, ...]]:
    """Return the groups of two or more of these published ids that are the same function.

    Ids ascend within a group, and groups by their first id. Among the 6,466 unique networks
    there are 781 groups.
    """
    groups: dict[tuple, list[int]] = {}
    for number in sorted(set(ids)):
        groups.setdefault(_form_of(number), []).append(number)
    return [tuple(group) for group in groups.values() if len(group) > 1]


@cache
def _form_of(number: int) -> tuple:
    return functional_form(Genotype.from_index(number)).form


def functional_form(genotype: Genotype) -> FunctionalForm:
    """Return the form of a cell: the smallest over all ways to name its convolutions."""
    output, reads = _nodes(genotype)
    live = _live(output, reads)
    kinds = {edge: genotype.operations[edge] if reads[edge] else CONSTANT for edge in live}
    # Names are tried only among convolutions that look alike with everything below them.
    looks = {edge: _look(edge, reads, kinds) for edge in live}
    alike = [list(group) for _, group in itertools.groupby(sorted(live, key=looks.get), looks.get)]  # type: ignore[arg-type]
    candidates = []
    for orders in itertools.product(*map(itertools.permutations, alike)):
        order = tuple(itertools.chain.from_iterable(orders))
        names = {INPUT: INPUT, **{edge: name for name, edge in enumerate(order)}}
        rows = tuple((kinds[edge], _renamed(reads[edge], names)) for edge in order)
        candidates.append(((_renamed(output, names), rows), order))
    form, order = min(candidates)
    return FunctionalForm(form, order, frozenset(e for e in live if kinds[e] == CONSTANT))


def _nodes(genotype: Genotype) -> tuple[Node, dict[int, Node]]:
    """Return the terms of the output, and what each convolution reads."""
    nodes, reads = [Counter({(INPUT, 0): 1})], {}
    for node in range(1, NODES):
        terms: Node = Counter()
        for edge, (source, target) in enumerate(EDGES):
            operation = genotype.operations[edge]
            if target != node or operation == "none":
                continue
            read = nodes[source]
            if operation == "skip_connect":
                terms.update(read)
            elif operation == "avg_pool_3x3":
                for (origin, pooled), count in read.items():
                    constant = origin != INPUT and not reads[origin]
                    terms[origin, pooled + (not constant)] += count
            else:
                reads[edge] = read
                terms[edge, 0] += 1
        nodes.append(terms)
    return nodes[-1], reads


def _live(output: Node, reads: dict[int, Node]) -> set[int]:
    """Return the edges of the convolutions that the output depends on."""
    live: set[int] = set()
    waiting = [output]
    while waiting:
        for origin, _ in waiting.pop():
            if origin != INPUT and origin not in live:
                live.add(origin)
                waiting.append(reads[origin])
    return live


def _look(edge: int, reads: dict[int, Node], kinds: dict[int, str]) -> tuple[Any, ...]:
    """Return a convolution with all that it reads, without names."""
    terms = [
        (pooled, count, () if origin == INPUT else _look(origin, reads, kinds))
        for (origin, pooled), count in reads[edge].items()
    ]
    return kinds[edge], tuple(sorted(terms))


def _renamed(node: Node, names: dict[int, int]) -> tuple[tuple[int, int, int], ...]:
    return tuple(sorted((names[origin], pooled, count) for (origin, pooled), count in node.items()))
