"""Genotypes of the DARTS space: texts, names, draws, neighbours, encodings."""

import collections
import csv
import io
import json
import random
from types import SimpleNamespace

import pytest

from testbed.basis.errors import ToolkitError
from testbed.spaces.darts import encoding
from testbed.spaces.darts.genotype import CONCAT, OPERATIONS, Genotype, GenotypeError
from testbed.spaces.darts.neighbours import neighbours
from testbed.spaces.registry import get
from tests.darts_draws import sample

SPACE = get("darts")

# The authors' second-order result, as their repository prints it.
NORMAL = [
    ("sep_conv_3x3", 0), ("sep_conv_3x3", 1), ("sep_conv_3x3", 0), ("sep_conv_3x3", 1),
    ("sep_conv_3x3", 1), ("skip_connect", 0), ("skip_connect", 0), ("dil_conv_3x3", 2),
]  # fmt: skip
REDUCE = [
    ("max_pool_3x3", 0), ("max_pool_3x3", 1), ("skip_connect", 2), ("max_pool_3x3", 1),
    ("max_pool_3x3", 0), ("skip_connect", 2), ("skip_connect", 2), ("max_pool_3x3", 1),
]  # fmt: skip
V2 = Genotype(tuple(NORMAL), tuple(REDUCE))
V2_NAME = (
    "darts_n-sep3.0+sep3.1-sep3.0+sep3.1-skip.0+sep3.1-skip.0+dil3.2"
    "_r-max3.0+max3.1-max3.1+skip.2-max3.0+skip.2-max3.1+skip.2"
)
Published = collections.namedtuple("Genotype", "normal normal_concat reduce reduce_concat")
TEXT = repr(Published(NORMAL, [2, 3, 4, 5], REDUCE, range(2, 6)))


def replaced(cell, number, edge):
    return (*cell[:number], edge, *cell[number + 1 :])


# --- texts ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT.replace("range(2, 6)", "[2, 3, 4, 5]"),
        TEXT.replace("range(2, 6)", "range(2,6,)"),
        f"DARTS_V2 = {TEXT}",
        TEXT.replace("'", '"'),
        TEXT.replace(", ", ",\n   ").replace("])", ",],\n)").replace("[(", "[ ("),
        TEXT.replace("(", "[").replace(")", "]").replace("Genotype[", "Genotype(")[:-1].replace(
            "range[2, 6]", "(2, 3, 4, 5)"
        )
        + ")",
        V2_NAME,
        f"  {V2_NAME}\n",
        json.dumps({"normal": NORMAL, "reduce": REDUCE}),
        json.dumps({"normal": NORMAL, "normal_concat": [2, 3, 4, 5], "reduce": REDUCE,
                    "reduce_concate": [2, 3, 4, 5]}),
        json.dumps(V2.to_mapping()),
    ],
)  # fmt: skip
def test_every_form_is_read(text):
    genotype = Genotype.parse(text)
    assert genotype.name == V2_NAME
    assert genotype == V2


def test_the_order_of_a_text_is_kept():
    assert list(Genotype.parse(TEXT).normal) == NORMAL
    assert list(Genotype.parse(TEXT).reduce) == REDUCE
    assert Genotype.from_mapping(Published(*[NORMAL, CONCAT, REDUCE, CONCAT])._asdict()) == V2


@pytest.mark.parametrize(
    "text",
    [
        "", "Genotype", "Genotype(", "Genotype()", TEXT[:-1], TEXT[:100], TEXT + ")", TEXT + " x",
        TEXT.replace("normal=", "normals="),
        TEXT.replace("reduce=", "normal="),
        TEXT.replace("range(2, 6)", "range(2, 7)"),
        TEXT.replace("range(2, 6)", "range(0, 999999999)"),
        TEXT.replace("range(2, 6)", "range(2, 8, 2)"),
        TEXT.replace("range(2, 6)", "range[2, 6]"),
        TEXT.replace("range(2, 6)", "range"),
        TEXT.replace("range(2, 6)", "[5, 4, 3, 2]"),
        TEXT.replace("range(2, 6)", "[2, 3, 4, True]"),
        TEXT.replace("range(2, 6)", "__import__('os').getcwd()"),
        TEXT.replace("range(2, 6)", "[" * 50),
        TEXT.replace("sep_conv_3x3", "sep_conv_7x7"),
        TEXT.replace("('skip_connect', 0)", "('skip_connect', -1)"),
        TEXT.replace("('skip_connect', 0)", "('skip_connect', 99999999999999999999)"),
        TEXT.replace("('skip_connect', 0)", "('skip_connect', 5)"),
        TEXT.replace("('skip_connect', 0)", "('skip_connect', '0')"),
        TEXT.replace("('skip_connect', 0)", "('skip_connect',)"),
        TEXT.replace("('skip_connect', 0)", "'skip_connect'"),
        TEXT.replace("('skip_connect', 0), ", "", 1),
        TEXT.replace("skip_connect", "skip\x1b[31m"),
        TEXT.replace("0", "\N{ARABIC-INDIC DIGIT ZERO}"),
        V2_NAME.replace("skip", "skim"), V2_NAME[:-1], V2_NAME + "-", V2_NAME.replace(".2", ".9"),
        V2_NAME.replace("_r", ""), V2_NAME.replace("+", "-"), V2_NAME.upper(),
        "{", "[]", "null", '{"normal": []}', '{"normal": 3, "reduce": 4}',
        pytest.param("x" * 10**6, id="long"),
        '{"normal": [], "normal": []}', "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
        json.dumps({"normal": NORMAL, "reduce": REDUCE, "reduce_concate": [2, 3]}),
        json.dumps({"normal": NORMAL, "reduce": REDUCE, "auxiliary": True}),
        json.dumps({"normal": NORMAL, "reduce": "skip_con"}),
        json.dumps({"normal": replaced(NORMAL, 2, ["skip_connect", 1.0]), "reduce": REDUCE}),
        json.dumps({"normal": replaced(NORMAL, 2, ["skip_connect", True]), "reduce": REDUCE}),
        json.dumps({"normal": replaced(NORMAL, 2, [["skip_connect"], 1]), "reduce": REDUCE}),
    ],
)  # fmt: skip
def test_what_is_no_genotype_is_refused(text):
    with pytest.raises(GenotypeError) as caught:
        Genotype.parse(text)
    message = str(caught.value)
    assert isinstance(caught.value, ToolkitError)
    assert any(word in message for word in ("expected", "got", "the space has", "JSON"))
    assert len(message) < 900
    assert "\x1b" not in message


def test_a_fault_is_pointed_at():
    text = TEXT.replace("range(2, 6)", "{2}")
    with pytest.raises(GenotypeError, match=r"at character \d+") as caught:
        Genotype.parse(text)
    line, caret = str(caught.value).split("\n")[1:]
    assert line[caret.index("^") :].startswith("{2}")


def test_a_misspelt_operation_gets_a_hint():
    with pytest.raises(GenotypeError, match=r"sepconv_3x3.*edge 2 of node 3 .*sep_conv_3x3"):
        Genotype(replaced(V2.normal, 3, ("sepconv_3x3", 0)), V2.reduce)


def test_objects_are_no_genotypes():
    for wrong in (None, 3, SimpleNamespace(normal=[], reduce=[]), b"darts_"):
        with pytest.raises(GenotypeError):
            Genotype.parse(wrong)
        with pytest.raises(GenotypeError):
            Genotype.from_mapping(wrong)
        with pytest.raises(GenotypeError):
            Genotype(V2.normal, wrong)


# --- names ----------------------------------------------------------------------------


def test_the_order_of_a_nodes_edges_does_not_matter():
    turned = Genotype(
        (*V2.normal[:4], V2.normal[5], V2.normal[4], V2.normal[7], V2.normal[6]),
        (V2.reduce[1], V2.reduce[0], *V2.reduce[2:]),
    )
    assert turned.normal != V2.normal
    assert (turned, hash(turned), turned.name) == (V2, hash(V2), V2.name)
    assert turned.canonical.cells == V2.canonical.cells
    assert turned.to_mapping() != V2.to_mapping()
    # Of the edges of two nodes, it does.
    other = Genotype((*V2.normal[:2], V2.normal[4], V2.normal[5], *V2.normal[2:4], *V2.normal[6:]),
                     V2.reduce)  # fmt: skip
    assert other != V2
    assert other.name != V2.name
    assert V2 != 3


@pytest.mark.parametrize("seed", range(5))
def test_a_name_gives_the_genotype_back(seed):
    for genotype in sample(40, seed):
        name = str(genotype)
        assert Genotype.parse(name) == genotype
        assert Genotype.parse(name).cells == genotype.canonical.cells
        assert name.startswith("darts_")
        assert name.isascii()
        assert name.isprintable()
        assert len(name) < 130
        assert not set(name) & set(",;|/\\:\"' =()*?")
        text = io.StringIO()
        csv.writer(text).writerow([name, 1])
        assert text.getvalue() == f"{name},1\r\n"


def test_every_operation_has_a_name_of_its_own():
    names = set()
    for operation in OPERATIONS:
        genotype = Genotype(((operation, 1),) * 8, ((operation, 0),) * 8)
        assert Genotype.parse(genotype.name) == genotype
        names.add(genotype.name)
    assert len(names) == 8


# --- draws and steps ------------------------------------------------------------------


def derived(genotype):
    for cell in genotype.cells.values():
        for node in range(4):
            (one, first), (other, second) = cell[2 * node : 2 * node + 2]
            if first == second or "none" in (one, other):
                return False
    return True


def test_draws_are_uniform():
    source = random.Random(0)
    drawn = [SPACE.draw(source) for _ in range(3000)]
    assert all(map(derived, drawn))
    for which in ("normal", "reduce"):
        operations = collections.Counter(
            operation for one in drawn for operation, _ in one.cells[which]
        )
        assert set(operations) == set(OPERATIONS[1:])
        assert all(abs(n / 24000 - 1 / 7) < 0.01 for n in operations.values())
        pairs = collections.Counter(
            tuple(source for _, source in one.cells[which][6:]) for one in drawn
        )
        assert len(pairs) == 10
        assert all(abs(n / 3000 - 0.1) < 0.03 for n in pairs.values())


def difference(one, other):
    """Return how many edges, as (cell, node, operation, source), are not common to both."""

    def edges(genotype):
        return collections.Counter(
            (which, number // 2, *edge)
            for which, cell in genotype.cells.items()
            for number, edge in enumerate(cell)
        )  # fmt: skip

    return (edges(one) - edges(other)).total()


def test_neighbours_are_one_step_away():
    for genotype in sample(5, 1):
        found = neighbours(genotype)
        assert len(set(found)) == len(found) == 120
        assert genotype not in found
        assert all(map(derived, found))
        assert {difference(genotype, one) for one in found} == {1}
        assert all(genotype in neighbours(one) for one in found[::10])


def test_of_no_derived_genotype_a_neighbour_leaves_the_fault_behind():
    zero = Genotype(replaced(V2.normal, 0, ("none", 0)), V2.reduce)
    assert V2 in neighbours(zero)
    twice = Genotype(replaced(V2.normal, 1, ("sep_conv_3x3", 0)), V2.reduce)
    assert V2 in neighbours(twice)
    for one in neighbours(twice):
        pair = one.canonical.normal[:2]
        assert pair == twice.canonical.normal[:2] or pair[0][1] != pair[1][1]
    for fault in (zero, twice):
        found = neighbours(fault)
        assert any(map(derived, found))
        assert fault not in found


def test_the_size_of_the_space():
    assert round(SPACE.size / 1e18, 2) == 1.08  # "about 10^18", appendix A.2 of the paper


# --- encodings ------------------------------------------------------------------------


def test_an_encoding_says_which_operation_is_where():
    vector = encoding.encode(V2)
    assert len(vector) == encoding.LENGTH == 2 * 14 * 8
    assert sum(vector) == 16
    assert set(vector) == {0, 1}
    # The sixth edge in is 0→4, which skips; the second of the reduction cell is 1→2, a pooling.
    assert vector[5 * 8 : 6 * 8] == (0, 0, 0, 1, 0, 0, 0, 0)
    assert vector[15 * 8 : 16 * 8] == (0, 1, 0, 0, 0, 0, 0, 0)


def test_an_encoding_tells_genotypes_apart():
    odd = Genotype((("none", 1),) * 8, replaced(V2.reduce, 1, ("sep_conv_5x5", 0)))
    drawn = [*sample(200), V2, odd]
    vectors = [encoding.encode(one) for one in drawn]
    assert len(set(vectors)) == len(drawn)
    for one, vector in zip(drawn, vectors, strict=True):
        assert encoding.encode(one.canonical) == vector
