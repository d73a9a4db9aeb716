"""The search space of DARTS: a normal and a reduction cell, two inputs a node, eight operations.

A cell has two inputs, 0 (the output of the cell before the last) and 1 (of the last cell), and
four nodes, 2 to 5. A node is the sum of two operations, each on an earlier node; the output is
the concatenation of the four nodes.

Liu, Simonyan and Yang, "DARTS: Differentiable Architecture Search", ICLR 2019.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from testbed.basis.errors import did_you_mean
from testbed.basis.foreign_text import described
from testbed.spaces.errors import GenotypeError

__all__ = ["CONCAT", "INPUTS", "NODES", "OPERATIONS", "Edge", "Genotype", "GenotypeError"]

OPERATIONS = (
    "none", "max_pool_3x3", "avg_pool_3x3", "skip_connect",
    "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5",
)  # fmt: skip
INPUTS, NODES = 2, 4
CONCAT = tuple(range(INPUTS, INPUTS + NODES))
Edge = tuple[str, int]  # an operation and the node that it reads


@dataclass(frozen=True, eq=False)
class Genotype:
    """A network of the space: the edges of the normal and of the reduction cell.

    A cell is a tuple of eight edges ``(operation, source)``, the first two of node 2, the next of
    node 3, and so on. The order of a node's two edges is kept, since parameters are numbered by
    it, but does not matter to the function: genotypes that differ in it alone are equal, and
    have one `name`. Two edges of a node may read one source, as in cells of other methods;
    `sampling` draws none of these, and no ``none``, as DARTS derives none.

    Raises:
        GenotypeError: if a cell has not eight edges, an operation is unknown, or a source is
            no earlier node.
    """

    normal: tuple[Edge, ...]
    reduce: tuple[Edge, ...]

    def __post_init__(self) -> None:
        for which in ("normal", "reduce"):
            object.__setattr__(self, which, _checked(which, getattr(self, which)))

    @staticmethod
    def parse(text: str) -> "Genotype":
        """Read a genotype's `name`, the usual text or the JSON form of it.

        The usual text is ``Genotype(normal=[('sep_conv_3x3', 0), …], normal_concat=[2, 3, 4, 5],
        reduce=[…], reduce_concat=range(2, 6))``; it is read, never run.

        Raises:
            GenotypeError: if it is none of these, or says a genotype outside the space.
        """
        from testbed.spaces.darts.texts import parse

        return parse(text)

    @staticmethod
    def from_mapping(fields: Mapping[str, Any]) -> "Genotype":
        """Return the genotype of a JSON object, or of ``_asdict()`` of the public named tuple.

        Args:
            fields: ``normal`` and ``reduce``, and, where given, ``normal_concat`` and
                ``reduce_concat`` (or ``reduce_concate``, as Tiny-RobustBench spells it).

        Raises:
            GenotypeError: if a cell lacks, a key is unknown, or other nodes than 2 to 5 are
                concatenated.
        """
        if not isinstance(fields, Mapping):
            raise GenotypeError(f"expected an object with normal and reduce; got {_got(fields)}")
        known = ("normal", "normal_concat", "reduce", "reduce_concat", "reduce_concate")
        for key in fields:
            if key not in known:
                hint = did_you_mean(key, known) if isinstance(key, str) else ""
                raise GenotypeError(
                    f"a genotype has the keys {', '.join(known[:4])}; got {_got(key)}{hint}"
                )
        for key in ("normal", "reduce"):
            if key not in fields:
                raise GenotypeError(f"expected a genotype's {key} cell; got {described(fields)}")
        for key in known:
            if "concat" in key and key in fields and _integers(fields[key]) != CONCAT:
                raise GenotypeError(
                    f"{key} of the space is {list(CONCAT)}, all nodes in order; "
                    f"got {_got(fields[key])}"
                )
        return Genotype(fields["normal"], fields["reduce"])

    @cached_property
    def name(self) -> str:
        """Return the one short name of this genotype and its equals, which `parse` reads.

        It has letters, digits and ``. + - _`` alone, so that it can stand in a table or be a
        file's name: ``darts_n-sep3.0+sep3.1-skip.0+…_r-…``.
        """
        from testbed.spaces.darts.texts import name

        return name(self)

    @cached_property
    def canonical(self) -> "Genotype":
        """Return the equal genotype whose nodes have their edges in the order of the sources."""
        return Genotype(*(_in_order(cell) for cell in (self.normal, self.reduce)))

    @property
    def cells(self) -> dict[str, tuple[Edge, ...]]:
        """Return the two cells by name, ``normal`` and ``reduce``."""
        return {"normal": self.normal, "reduce": self.reduce}

    def to_mapping(self) -> dict[str, Any]:
        """Return the JSON form, which `from_mapping` reads, with the edges in their order."""
        found: dict[str, Any] = {}
        for which, cell in self.cells.items():
            found[which] = [list(edge) for edge in cell]
            found[f"{which}_concat"] = list(CONCAT)
        return found

    def __str__(self) -> str:
        return self.name

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Genotype):
            return NotImplemented
        return self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @cached_property
    def _key(self) -> tuple[tuple[Edge, ...], tuple[Edge, ...]]:
        return _in_order(self.normal), _in_order(self.reduce)


def input_order(edge: Edge) -> tuple[int, int]:
    """Return the key by which a node's two edges are ordered: source, then operation."""
    return edge[1], OPERATIONS.index(edge[0])


def _in_order(cell: tuple[Edge, ...]) -> tuple[Edge, ...]:
    pairs = (sorted(cell[2 * node : 2 * node + 2], key=input_order) for node in range(NODES))
    return tuple(edge for pair in pairs for edge in pair)


def _checked(which: str, cell: Any) -> tuple[Edge, ...]:
    if not _is_sequence(cell) or len(cell) != 2 * NODES:
        got = f"{len(cell)}: {described(cell)}" if _is_sequence(cell) else _got(cell)
        raise GenotypeError(
            f"the {which} cell has {2 * NODES} edges (operation, source), two for each of the "
            f"nodes 2 to {INPUTS + NODES - 1}; got {got}"
        )
    return tuple(_edge(which, number, edge) for number, edge in enumerate(cell))


def _edge(which: str, number: int, edge: Any) -> Edge:
    node = INPUTS + number // 2
    if not _is_sequence(edge) or len(edge) != 2:
        raise GenotypeError(
            f"expected (operation, source) as {_where(which, number)}; got {_got(edge)}"
        )
    operation, source = edge
    if not isinstance(operation, str) or operation not in OPERATIONS:
        hint = did_you_mean(operation, OPERATIONS) if isinstance(operation, str) else ""
        raise GenotypeError(
            f"unknown operation {_got(operation)} on {_where(which, number)}{hint}; "
            f"the space has {', '.join(OPERATIONS)}"
        )
    if type(source) is not int or not 0 <= source < node:
        raise GenotypeError(
            f"the source of {_where(which, number)} is an earlier node, 0 to {node - 1}; "
            f"got {_got(source)}"
        )
    return operation, source


def _where(which: str, number: int) -> str:
    return f"edge {number % 2 + 1} of node {INPUTS + number // 2} of the {which} cell"


def _integers(value: Any) -> tuple[int, ...] | None:
    if isinstance(value, range):
        return tuple(value) if len(value) <= 2 * NODES else None
    if not _is_sequence(value) or any(type(one) is not int for one in value):
        return None
    return tuple(value)


def _is_sequence(value: Any) -> bool:
    if type(value) in (tuple, list):
        return True
    return isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray | range)


def _got(value: Any) -> str:
    if isinstance(value, range):
        return f"range({described(value.start)}, {described(value.stop)})"
    return described(value)
