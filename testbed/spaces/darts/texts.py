"""What is written for a genotype: its short name, and the texts of others.

The usual text is what Python prints for the public named tuple. It is read by a grammar of
lists, strings and whole numbers, since a text of others must not be run.
"""

import re
from typing import Any, NoReturn

from testbed.basis.foreign_text import described, shown
from testbed.files.strict_json import parse_json
from testbed.spaces.darts.genotype import NODES, OPERATIONS, Edge, Genotype, GenotypeError

__all__ = ["LONGEST", "name", "parse"]

LONGEST = 10_000  # characters; the usual text has some 500
CODES: dict[str, str] = dict(
    zip(OPERATIONS, ("none", "max3", "avg3", "skip", "sep3", "sep5", "dil3", "dil5"), strict=True)
)
_FORMS = (
    "expected a name darts_n-…_r-…, a text Genotype(normal=[('sep_conv_3x3', 0), …], …, "
    "reduce=[…], …) or the JSON form of it"
)
_OPERATION_OF = {code: operation for operation, code in CODES.items()}
_NODE = r"[a-z0-9]+\.[0-9]\+[a-z0-9]+\.[0-9]"
_NAME = re.compile(rf"darts_n((?:-{_NODE}){{{NODES}}})_r((?:-{_NODE}){{{NODES}}})")
_TOKEN = re.compile(r"""\s*([A-Za-z_]\w*|-?\d+|'[^'\\\n]*'|"[^"\\\n]*"|[()\[\]=,])""", re.ASCII)
_BRACKETS = {"[": "]", "(": ")"}
_DEEPEST = 3


def name(genotype: Genotype) -> str:
    """Return the genotype's name, the same for equal genotypes (see `Genotype.name`)."""
    ordered = genotype.canonical
    return f"darts_n{_cell_name(ordered.normal)}_r{_cell_name(ordered.reduce)}"


def parse(text: str) -> Genotype:
    """Read a name, the usual text or the JSON form (see `Genotype.parse`)."""
    if not isinstance(text, str):
        raise GenotypeError(f"not a genotype: {_FORMS}; got {described(text)}")
    if len(text) > LONGEST:
        raise GenotypeError(
            f"not a genotype: expected at most {LONGEST:,} characters; got {len(text):,}"
        )
    text = text.strip()
    if text.startswith("darts_"):
        return _parse_name(text)
    if text.startswith("{"):
        return Genotype.from_mapping(parse_json(text, "the genotype", GenotypeError))
    if re.match(r"(?:[A-Za-z_]\w*\s*=\s*)?Genotype\s*\(", text, re.ASCII):
        return Genotype.from_mapping(_Reader(text).fields())
    raise GenotypeError(f"not a genotype: {_FORMS}; got {described(text, 120)}")


def _cell_name(cell: tuple[Edge, ...]) -> str:
    words = [f"{CODES[operation]}.{source}" for operation, source in cell]
    return "".join(f"-{words[2 * node]}+{words[2 * node + 1]}" for node in range(NODES))


def _parse_name(text: str) -> Genotype:
    found = _NAME.fullmatch(text)
    if found is None:
        node = "sep3.0+skip.1"
        raise GenotypeError(
            f"not the name of a DARTS genotype: expected darts_n and {NODES} nodes such as "
            f"-{node}, then _r and {NODES} nodes; got {described(text, 160)}"
        )
    return Genotype(
        *(tuple(map(_named_edge, re.split("[-+]", part[1:]))) for part in found.groups())
    )


def _named_edge(word: str) -> Edge:
    code, _, source = word.partition(".")
    if code not in _OPERATION_OF:
        raise GenotypeError(
            f"unknown operation {described(code)} in the name of a DARTS genotype; "
            f"expected one of {', '.join(_OPERATION_OF)}"
        )
    return _OPERATION_OF[code], int(source)


class _Reader:
    """A reader of ``Genotype(key=value, …)``, where values are lists, strings, whole numbers."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, int]] = []
        position = 0
        while position < len(text):
            found = _TOKEN.match(text, position)
            if found is None:
                self.fail(position + len(text[position:]) - len(text[position:].lstrip()))
            self.tokens.append((found[1], found.start(1)))
            position = found.end()
        self.next = 0

    def fields(self) -> dict[str, Any]:
        if self.peek(1) == "=":  # what is assigned, as in a file of genotypes
            self.next += 2
        self.take("Genotype")
        self.take("(")
        found: dict[str, Any] = {}
        while self.peek() != ")":
            key, position = self.token()
            if not key.isidentifier() or key in found:
                self.fail(position, "expected the name of a field, once")
            self.take("=")
            found[key] = self.value(0)
            if self.peek() != ")":
                self.take(",")
        self.take(")")
        if self.next < len(self.tokens):
            self.fail(self.tokens[self.next][1], "expected the end of the text")
        return found

    def value(self, depth: int) -> Any:
        word, position = self.token()
        if word[0] in "'\"":
            return word[1:-1]
        if word[0] in "-0123456789":
            return self.number(word, position)
        if word == "range":
            return self.bounds(position)
        if word not in _BRACKETS or depth == _DEEPEST:
            self.fail(position, "expected a list, an operation in quotes or a whole number")
        items = []
        while self.peek() != _BRACKETS[word]:
            items.append(self.value(depth + 1))
            if self.peek() != _BRACKETS[word]:
                self.take(",")
        self.take(_BRACKETS[word])
        return items

    def bounds(self, position: int) -> range:
        bounds = self.value(_DEEPEST - 1) if self.peek() == "(" else None
        if not bounds or len(bounds) > 2 or any(type(one) is not int for one in bounds):
            self.fail(position, "expected range(2, 6)")
        return range(*bounds)

    def number(self, word: str, position: int) -> int:
        if len(word) > 9:
            self.fail(position, "expected the number of a node")
        return int(word)

    def peek(self, ahead: int = 0) -> str:
        here = self.next + ahead
        return self.tokens[here][0] if here < len(self.tokens) else ""

    def token(self) -> tuple[str, int]:
        if self.next == len(self.tokens):
            self.fail(len(self.text), "expected more: the text is cut short")
        self.next += 1
        return self.tokens[self.next - 1]

    def take(self, expected: str) -> None:
        word, position = self.token()
        if word != expected:
            self.fail(position, f"expected {expected!r}")

    def fail(self, position: int, expected: str = "expected a text Genotype(…)") -> NoReturn:
        before = shown(self.text[max(0, position - 60) : position])
        after = shown(self.text[position : position + 60])
        raise GenotypeError(
            f"not the text of a genotype: {expected} at character {position}\n"
            f"  {before}{after}\n  {' ' * len(before)}^"
        )
