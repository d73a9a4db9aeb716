import pytest

from evaluation.truths.published import Truth
from evaluation.truths.section33 import is_chosen, section33, section33_ids
from testbed.spaces.nasbench201.genotype import Genotype
from tests.truth_folder import published_truth

N, S, ONE, THREE = "none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3"


@pytest.mark.parametrize(
    ("operations", "chosen"),
    [
        ((THREE, THREE, N, N, S, S), True),
        ((THREE, THREE, THREE, N, S, S), False),
        ((THREE, THREE, ONE, N, S, S), False),
        # A dead convolution does not count: node 1 leads nowhere, or nothing leads to it.
        ((ONE, THREE, N, THREE, N, S), True),
        ((N, THREE, THREE, THREE, N, S), True),
        ((THREE, THREE, N, N, S, N), False),
    ],
)
def test_live_edges_decide(operations, chosen):
    assert is_chosen(Genotype(operations)) is chosen


def test_published_number_and_range():
    targets = Truth.open(published_truth()).targets()
    means = section33(targets)
    assert len(means) == len(section33_ids()) == 408
    assert means.is_monotonic_decreasing
    assert means.iloc[[0, -1]].round(4).tolist() == [0.3991, 0.2113]
    # A truth that lacks one of them, or attacks, says nothing of section 3.3.
    assert section33(targets.drop(index=means.index[0])) is None
    assert section33(targets.drop(columns="mean adversarial")) is None
