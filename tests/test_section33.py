import pandas as pd
import pytest
from truth_folder import published_truth

from evaluation.ground_truth import Truth, TruthError
from evaluation.section33 import is_chosen, mean_adversarial_accuracy
from testbed.nasbench201.genotype import Genotype

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


def test_a_truth_without_attacks_is_refused():
    with pytest.raises(TruthError, match="needs attacks in the truth; its targets are clean"):
        mean_adversarial_accuracy(pd.DataFrame({"clean": [0.5]}, index=[0]))


def test_published_number_and_range():
    means = mean_adversarial_accuracy(Truth.open(published_truth()).targets())
    assert len(means) == 408
    assert means.is_monotonic_decreasing
    assert means.iloc[[0, -1]].round(4).tolist() == [0.3991, 0.2113]
