import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.spaces.nasbench201.genotype import OPERATIONS, Genotype
from testbed.spaces.nasbench201.isomorphism import (
    canonical_string,
    representative,
    representatives,
    unique_ids,
)

six_operations = st.tuples(*[st.sampled_from(OPERATIONS)] * 6)


def canonical(*ops):
    return canonical_string(Genotype(ops))


def test_representatives_are_the_published_ones(real_data):
    ids = json.loads((real_data / "robustness-data" / "meta.json").read_text())["ids"]
    assert len(ids) == 15625
    published = tuple(int(ids[str(i)]["isomorph"]) for i in range(15625))
    assert representatives() == published


def test_representatives_are_those_once_checked_against_the_published_ones():
    digest = hashlib.sha256(" ".join(map(str, representatives())).encode()).hexdigest()
    assert digest == "50fb270be7af0fc8159ca5f6fd7edcc70817612f26d85223a3aa5f20c6b9deaf"


def test_there_are_6466_classes():
    unique = unique_ids()
    assert len(unique) == len(set(representatives())) == 6466
    assert list(unique) == sorted(set(representatives()))
    assert unique[0] == 0
    assert len({canonical_string(Genotype.from_index(i)) for i in unique}) == 6466


def test_a_representative_is_the_lowest_id_and_represents_itself():
    lowest = representatives()
    assert all(low <= i and lowest[low] == low for i, low in enumerate(lowest))


@given(six_operations)
def test_members_share_the_canonical_string_of_their_representative(ops):
    genotype = Genotype(ops)
    chosen = representative(genotype)
    assert canonical_string(chosen) == canonical_string(genotype)
    assert chosen.index <= genotype.index
    assert representative(chosen) == chosen


@given(six_operations)
def test_what_reads_a_copy_of_the_input_may_read_the_input(ops):
    _, b, c, d, e, f = ops
    one, other = (
        Genotype(o) for o in [("skip_connect", b, c, d, e, f), ("skip_connect", c, b, e, d, f)]
    )
    assert representative(one) == representative(other)


@pytest.mark.parametrize(
    ("ops", "expected"),
    [
        (("none",) * 6, "#+#+#"),
        (("none", "none", "none", "skip_connect", "none", "none"), "#+#+0"),
        # A convolution of exactly zero is zero ...
        (("none", "none", "none", "none", "nor_conv_3x3", "none"), "#+#+#"),
        # ... but not of a sum of zeros.
        (("none", "none", "none", "none", "none", "nor_conv_3x3"), "#+#+(#+#)@nor_conv_3x3"),
        (("skip_connect", "none", "none", "none", "nor_conv_1x1", "none"), "#+#+(0)@nor_conv_1x1"),
        # A skip passes the sum of its source through, unsorted.
        (
            ("avg_pool_3x3", "skip_connect", "skip_connect", "none", "none", "skip_connect"),
            "#+#+(0)@avg_pool_3x3+0",
        ),
    ],
)
def test_canonical_strings_written_by_hand(ops, expected):
    assert canonical(*ops) == expected


def test_a_skip_in_front_or_behind_is_the_same_class():
    conv, skip, none = "nor_conv_3x3", "skip_connect", "none"
    front = Genotype((skip, none, none, none, conv, none))
    behind = Genotype((conv, none, none, none, skip, none))
    pool = Genotype(("avg_pool_3x3", none, none, none, skip, none))
    assert representative(front) == representative(behind) != representative(pool)
    # Literally: through node 2 the zeros stay inside the sum, so this is another class.
    through_two = Genotype((none, conv, none, none, none, skip))
    assert representative(through_two) != representative(front)
