"""Spaces: candidates, neighbours, mutants, and NAS-Bench-201 as classes of cells."""

import random
from collections import Counter

import numpy as np
import pytest

from evaluation.search import Space
from evaluation.search.cells import (
    candidate_of,
    cells,
    genotype_of,
    operation_counts,
    path_encoding,
    published_ids,
)
from testbed.spaces.nasbench201.genotype import EDGES, Genotype
from testbed.spaces.nasbench201.isomorphism import representative, unique_ids
from tests.search_toys import CHOICES, toy_space


def test_candidates_and_configurations_go_back_and_forth():
    space = toy_space()
    assert len(space) == 24
    seen = [space.configuration(candidate) for candidate in range(24)]
    assert len({tuple(configuration.values()) for configuration in seen}) == 24
    assert [space.candidate(configuration) for configuration in seen] == list(range(24))
    assert seen[0] == {"width": 8, "depth": 1, "kernel": 3}
    assert seen[1] == {"width": 8, "depth": 1, "kernel": 5}


def test_neighbours_differ_in_one_choice():
    space = toy_space()
    for candidate in range(24):
        own = space.configuration(candidate)
        others = [space.configuration(c) for c in space.neighbours(candidate)]
        assert len(others) == 2 + 3 + 1
        assert all(sum(own[name] != other[name] for name in own) == 1 for other in others)


def test_a_mutant_changes_each_choice_with_the_given_probability():
    space, source = Space({str(i): range(5) for i in range(6)}), random.Random(0)
    changed = Counter()
    for _ in range(4000):
        mutant = space.configuration(space.mutate(0, source, 0.25))
        assert any(mutant.values())
        changed[sum(option != 0 for option in mutant.values())] += 1
    some = 1 - 0.75**6  # never the candidate itself
    assert changed[1] / 4000 == pytest.approx(6 * 0.25 * 0.75**5 / some, abs=0.03)
    assert changed[2] / 4000 == pytest.approx(15 * 0.25**2 * 0.75**4 / some, abs=0.03)


def test_members_bound_what_is_reached():
    space, source = toy_space().restricted([0, 1, 23]), random.Random(0)
    assert space.neighbours(0) == [1]
    assert space.neighbours(23) == []
    assert {space.mutate(0, source, 0.9) for _ in range(200)} == {1, 23}
    assert {space.sample(source) for _ in range(100)} == {0, 1, 23}
    assert sorted(space.distinct(99, source)) == [0, 1, 23]


def test_a_huge_space_is_no_list():
    space = Space({str(i): range(10) for i in range(18)})
    assert len(set(space.distinct(50, random.Random(0)))) == 50
    assert space.one_hot([10**18 - 1])[0].reshape(18, 10).argmax(axis=1).tolist() == [9] * 18
    with pytest.raises(ValueError, match="1e\\+30"):
        Space({str(i): range(10) for i in range(30)})


@pytest.mark.parametrize("choices", [{}, {"width": ()}])
def test_a_space_without_options_is_refused(choices):
    with pytest.raises(ValueError, match="options"):
        Space(choices)


def test_an_unknown_choice_is_refused():
    with pytest.raises(ValueError, match="width, depth, kernel"):
        toy_space().candidate({"width": 8})


def test_cells_are_the_classes_of_nas_bench_201():
    assert len(cells()) == 6466
    assert {int(published_ids()[c]) for c in cells().pool} == set(unique_ids())
    for index in (0, 11, 284, 15_624):
        genotype = Genotype.from_index(index)
        candidate = candidate_of(genotype)
        assert genotype_of(candidate) == representative(genotype)
        assert cells().name(candidate) == str(representative(genotype))


def test_neighbours_of_a_cell_are_the_classes_of_its_neighbours():
    for index in unique_ids()[:20]:
        genotype = Genotype.from_index(index)
        expected = {representative(cell).index for cell in genotype.neighbours()} - {index}
        found = cells().neighbours(candidate_of(genotype))
        assert {int(published_ids()[c]) for c in found} == expected
        assert len(found) == len(expected)


def test_mutants_of_a_cell_are_classes():
    source, pool = random.Random(0), set(cells().pool)
    start = candidate_of(Genotype.from_index(11))
    mutants = {cells().mutate(start, source, 0.25) for _ in range(300)}
    assert mutants <= pool
    assert start not in mutants
    assert len(mutants) > 50


def test_the_paths_of_a_cell():
    source = random.Random(0)
    working = ("skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
    for candidate in source.sample(range(15_625), 300):
        operations = dict(zip(EDGES, cells().configuration(candidate).values(), strict=True))
        expected = set()
        if operations[0, 3] != "none":
            expected.add(working.index(operations[0, 3]))
        for middle in (1, 2):
            ends = operations[0, middle], operations[middle, 3]
            if "none" not in ends:
                expected.add(4 + 4 * working.index(ends[0]) + working.index(ends[1]))
        assert set(path_encoding()[candidate].nonzero()[0]) == expected


def test_encodings_of_cells():
    operations = ("nor_conv_3x3", "none", "avg_pool_3x3", "skip_connect", "nor_conv_1x1", "none")
    genotype = Genotype(operations)
    candidate = published_ids().tolist().index(genotype.index)
    # The paths 0→3 (skip) and 0→1→3 (3×3, 1×1); 0→2→3 passes through none.
    working = ("skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
    expected = {working.index("skip_connect"), 4 + 4 * working.index("nor_conv_3x3") + 1}
    assert set(path_encoding()[candidate].nonzero()[0]) == expected
    assert operation_counts()[candidate].tolist() == [2, 1, 1, 1, 1]
    one_hot = cells().one_hot([candidate])[0]
    assert one_hot.reshape(len(EDGES), 5).argmax(axis=1).tolist() == [3, 0, 4, 1, 2, 0]
    assert np.array_equal(cells().encode([candidate])[0], path_encoding()[candidate])


def test_an_option_that_is_unknown_is_refused():
    with pytest.raises(ValueError, match="64"):
        toy_space().candidate({**dict.fromkeys(CHOICES, 3), "width": 64})
