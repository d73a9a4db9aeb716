import itertools
import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.spaces.nasbench201.genotype import (
    EDGES,
    OPERATIONS,
    Genotype,
    GenotypeError,
    enumerate_space,
)

FIRST = (
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|"
    "+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
)
DEAD = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"

six_operations = st.tuples(*[st.sampled_from(OPERATIONS)] * 6)


def format_by_hand(ops):
    a, b, c, d, e, f = ops
    return f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|"


def caret_of(string):
    """Return the position under which parsing ``string`` puts its caret."""
    with pytest.raises(GenotypeError) as caught:
        Genotype.parse(string)
    lines = str(caught.value).split("\n")
    shown = lines.index("  " + string)
    assert lines[shown + 1].strip() == "^"
    position = lines[shown + 1].index("^") - 2
    assert f"at character {position}" in lines[0]
    return position


def differing_edges(one, other):
    return [e for e in range(6) if one.operations[e] != other.operations[e]]


# --- strings --------------------------------------------------------------------------


@given(six_operations)
def test_parse_and_format_are_inverse(ops):
    genotype = Genotype(ops)
    assert str(genotype) == format_by_hand(ops)
    assert Genotype.parse(str(genotype)) == genotype


def test_parse_keeps_the_order_of_the_edges():
    assert EDGES == ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
    assert Genotype.parse(FIRST).operations == (
        *("avg_pool_3x3", "nor_conv_1x1", "skip_connect"),
        *("nor_conv_1x1", "skip_connect", "skip_connect"),
    )


@pytest.mark.parametrize(
    ("string", "position", "expected"),
    [
        ("", 0, "expected '|'"),
        ("none~0|", 0, "expected '|'"),
        (" " + DEAD, 0, "expected '|'"),
        ("|max_pool~0|", 1, "expected one of none, skip_connect"),
        ("|", 1, "expected one of none, skip_connect"),
        ("||none~0|", 1, "expected one of none, skip_connect"),
        ("|none~0", 5, "expected '~0|'"),
        ("|none~0||none~0|", 8, "expected '+|'"),
        ("|none~0|", 8, "expected '+|'"),
        ("|none~0|+|none~0|", 17, "then '~'"),
        ("|none~0|+|none~0|zero~1|", 17, "then '~'"),
        ("|none~0|+|none~0|none~1||none~0|", 24, "expected '+|'"),
        ("|none~0|+|none~0|none~1|+|none~0|none~1|conv~2|", 40, "then '~'"),
        ("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|x", 47, "expected the end"),
        (DEAD + "\n", 47, "expected the end"),
        (DEAD + "+|none~0|", 47, "expected the end"),
    ],
)
def test_a_malformed_string_is_shown_with_a_caret(string, position, expected):
    if "\n" in string:
        with pytest.raises(GenotypeError, match=f"{expected}.* at character {position}"):
            Genotype.parse(string)
        return
    assert caret_of(string) == position
    with pytest.raises(GenotypeError) as caught:
        Genotype.parse(string)
    assert expected in str(caught.value)
    assert "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|" in str(caught.value)


@given(six_operations, st.data())
def test_the_caret_is_at_the_damaged_character_or_at_the_start_of_its_word(ops, data):
    string = format_by_hand(ops)
    damaged = data.draw(st.integers(0, len(string) - 1))
    starts, position = {}, 0  # of the word that each character belongs to
    literals = ["|", "~0|+|", "~0|", "~1|+|", "~0|", "~1|", "~2|"]
    for op, literal in zip(("", *ops), literals, strict=True):
        for start, length in ((position, len(op) + 1), (position + len(op), len(literal))):
            for i in range(start, start + length):
                starts.setdefault(i, start)
        position += len(op) + len(literal)
    caret = caret_of(string[:damaged] + "?" + string[damaged + 1 :])
    assert starts[damaged] <= caret <= damaged


@pytest.mark.parametrize("count", [0, 5, 7])
def test_a_genotype_has_six_operations(count):
    with pytest.raises(GenotypeError, match=f"6 operations.*got {count}:"):
        Genotype(("none",) * count)


def test_an_unknown_operation_is_named_with_its_edge():
    with pytest.raises(GenotypeError, match=r"'max_pool' on edge 1→2.*nor_conv_3x3"):
        Genotype(("none", "none", "max_pool", "none", "none", "none"))


# --- published ids --------------------------------------------------------------------


def test_ids_and_strings_are_those_published(real_data):
    ids = json.loads((real_data / "robustness-data" / "meta.json").read_text())["ids"]
    assert len(ids) == 15625
    for key, entry in ids.items():
        genotype = Genotype.from_index(int(key))
        assert str(genotype) == entry["nb201-string"]
        assert Genotype.parse(entry["nb201-string"]).index == int(key)


def test_known_ids():
    assert str(Genotype.from_index(0)) == FIRST
    assert str(Genotype.from_index(284)) == (
        "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|none~0|nor_conv_1x1~1|none~2|"
    )


def test_the_space_holds_every_genotype_once():
    space = enumerate_space()
    assert {g.operations for g in space} == set(itertools.product(OPERATIONS, repeat=6))
    assert [g.index for g in space] == list(range(15625))
    assert Genotype.from_index(15624) == space[-1]


@pytest.mark.parametrize("index", [-1, -15625, 15625, 10**9])
def test_from_index_refuses_what_is_outside(index):
    with pytest.raises(GenotypeError, match=f"{index} is outside.*0 to 15624"):
        Genotype.from_index(index)


# --- neighbours -----------------------------------------------------------------------


@given(six_operations)
def test_neighbours_are_the_24_at_distance_one(ops):
    genotype = Genotype(ops)
    neighbours = genotype.neighbours()
    assert len(neighbours) == len(set(neighbours)) == 24
    changes = [differing_edges(genotype, n) for n in neighbours]
    assert Counter(map(tuple, changes)) == {(edge,): 4 for edge in range(6)}


# --- paths ----------------------------------------------------------------------------


def paths_to_output():
    """Return every path 0 → 3 as a set of edge numbers."""
    number = {edge: i for i, edge in enumerate(EDGES)}
    stops = [(), (1,), (2,), (1, 2)]
    return [{number[pair] for pair in itertools.pairwise((0, *via, 3))} for via in stops]


def test_live_edges_are_those_on_a_path_from_input_to_output():
    paths = paths_to_output()
    for genotype in enumerate_space():
        present = {e for e in range(6) if genotype.operations[e] != "none"}
        live = sorted(set().union(*(path for path in paths if path <= present)))
        assert genotype.live_edges() == tuple(live), str(genotype)


def test_reached_nodes():
    genotype = Genotype.parse("|none~0|+|avg_pool_3x3~0|none~1|+|none~0|skip_connect~1|none~2|")
    assert genotype.reached_from_input() == {0, 2}
    assert genotype.reaching_output() == {1, 3}
    assert genotype.live_edges() == ()
