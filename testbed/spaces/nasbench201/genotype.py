"""The search space of NAS-Bench-201: 5 operations on each of 6 edges.

A cell has four nodes; node 0 is its input and node 3 its output. The edges are
numbered in the order of the architecture string: 0→1, 0→2, 1→2, 0→3, 1→3, 2→3.

Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural
Architecture Search", ICLR 2020.
"""

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import NoReturn

from testbed.basis.foreign_text import described, shown
from testbed.spaces.errors import GenotypeError

__all__ = ["EDGES", "OPERATIONS", "Genotype", "GenotypeError"]

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
NODES = 4
# As NASLib and NAS-Bench-Suite-Zero number them.
NASLIB = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")


@dataclass(frozen=True)
class Genotype:
    """One of the 15,625 cells: the operation of each edge, in string order.

    Raises:
        GenotypeError: if there are not six operations, or one is unknown.
    """

    operations: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.operations) != len(EDGES):
            raise GenotypeError(
                f"a genotype has {len(EDGES)} operations, one for each edge {EDGES}; "
                f"got {len(self.operations)}: {described(self.operations)}"
            )
        for edge, operation in zip(EDGES, self.operations, strict=True):
            if operation not in OPERATIONS:
                raise GenotypeError(
                    f"unknown operation {described(operation)} on edge {edge[0]}→{edge[1]}; "
                    f"the space has {', '.join(OPERATIONS)}"
                )

    @staticmethod
    def parse(string: str) -> "Genotype":
        """Read an architecture string, ``|op~0|+|op~0|op~1|+|op~0|op~1|op~2|``.

        Raises:
            GenotypeError: with a caret under the first character that does not fit.
        """
        operations, position = [], 0
        for token in _tokens():
            if token is None:
                operation = _operation_at(string, position)
                operations.append(operation)
                position += len(operation)
            elif string.startswith(token, position):
                position += len(token)
            else:
                _fail(string, position, f"expected {token!r}")
        if position != len(string):
            _fail(string, position, "expected the end of the string")
        return Genotype(tuple(operations))

    @staticmethod
    def from_index(index: int) -> "Genotype":
        """Return the architecture with this published id (0 to 15,624)."""
        space = enumerate_space()
        if not 0 <= index < len(space):
            raise GenotypeError(
                f"architecture id {index} is outside the space: expected 0 to {len(space) - 1}"
            )
        return space[index]

    @staticmethod
    def from_naslib(numbers: Sequence[int]) -> "Genotype":
        """Return the architecture of NASLib's six numbers, ``(4, 0, 3, 1, 4, 3)`` for instance.

        They are operations in NASLib's order, edge by edge, source by source: 0→1, 0→2, 0→3,
        1→2, 1→3, 2→3.
        """
        unknown = [number for number in numbers if not 0 <= number < len(OPERATIONS)]
        if len(numbers) != len(EDGES) or unknown:
            got = described(tuple(numbers)) if not unknown else f"the operation {unknown[0]}"
            raise GenotypeError(f"expected six operations 0 to 4; got {got}")
        chosen = dict(zip(sorted(EDGES), numbers, strict=True))
        return Genotype(tuple(NASLIB[chosen[edge]] for edge in EDGES))

    @cached_property
    def index(self) -> int:
        """Return the id in the published archives (NAS-Bench-201, NATS-Bench, ``meta.json``)."""
        return _indices()[self.operations]

    def __str__(self) -> str:
        edges = iter(zip(EDGES, self.operations, strict=True))
        nodes = []
        for target in range(1, NODES):
            terms = [f"{op}~{source}" for (source, _), op in itertools.islice(edges, target)]
            nodes.append(f"|{'|'.join(terms)}|")
        return "+".join(nodes)

    def live_edges(self) -> tuple[int, ...]:
        """Return the numbers of the edges that carry signal from input to output.

        An edge is live if its operation is not ``none``, its source is reachable from
        the input and its target reaches the output.
        """
        forward, backward = self.reached_from_input(), self.reaching_output()
        return tuple(
            number
            for number, (source, target) in enumerate(EDGES)
            if self.operations[number] != "none" and source in forward and target in backward
        )

    def reached_from_input(self) -> frozenset[int]:
        """Return the nodes that the input reaches over edges other than ``none``."""
        reached = {0}
        for (source, target), operation in zip(EDGES, self.operations, strict=True):
            if operation != "none" and source in reached:
                reached.add(target)
        return frozenset(reached)

    def reaching_output(self) -> frozenset[int]:
        """Return the nodes that reach the output over edges other than ``none``."""
        reaching = {NODES - 1}
        for (source, target), operation in reversed(list(zip(EDGES, self.operations, strict=True))):
            if operation != "none" and target in reaching:
                reaching.add(source)
        return frozenset(reaching)

    def neighbours(self) -> list["Genotype"]:
        """Return the 24 architectures that differ in exactly one operation."""
        return [
            self._with(edge, operation)
            for edge in range(len(EDGES))
            for operation in OPERATIONS
            if operation != self.operations[edge]
        ]

    def _with(self, edge: int, operation: str) -> "Genotype":
        return Genotype((*self.operations[:edge], operation, *self.operations[edge + 1 :]))


@cache
def enumerate_space() -> tuple[Genotype, ...]:
    """Return all 15,625 architectures in the order of their published ids.

    The published order is a shuffle of the lexicographic one; the benchmark's
    authors fixed its seed at 88, so no file is needed to know it.
    """
    space = [Genotype(ops) for ops in itertools.product(OPERATIONS, repeat=len(EDGES))]
    random.Random(88).shuffle(space)
    return tuple(space)


@cache
def _indices() -> dict[tuple[str, ...], int]:
    return {genotype.operations: index for index, genotype in enumerate(enumerate_space())}


def _tokens() -> list[str | None]:
    """Return the literals of an architecture string, with None where an operation stands."""
    tokens: list[str | None] = []
    for target in range(1, NODES):
        tokens.append("|" if target == 1 else "+|")
        for source in range(target):
            tokens += [None, f"~{source}|"]
    return tokens


def _operation_at(string: str, position: int) -> str:
    for operation in OPERATIONS:
        if string.startswith(operation + "~", position):
            return operation
    _fail(string, position, f"expected one of {', '.join(OPERATIONS)}, then '~'")


def _fail(string: str, position: int, expected: str) -> NoReturn:
    # As much as a line takes: of the 190 characters of a whole string, all.
    before, after = shown(string[max(0, position - 160) : position]), string[position:]
    raise GenotypeError(
        f"not an architecture string: {expected} at character {position}\n"
        f"  {before}{shown(after)}\n  {' ' * len(before)}^\n"
        f"  the form is |op~0|+|op~0|op~1|+|op~0|op~1|op~2|"
    )
