import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr, weightedtau

from evaluation.correlation import spearman, top_precision, weighted_tau

tied = st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=2, max_size=30)


@given(tied)
def test_spearman_equals_scipys_and_no_measure_depends_on_the_order_of_rows(pairs):
    x, y = (np.array(variable) for variable in zip(*pairs, strict=True))
    if len(set(x)) > 1 and len(set(y)) > 1:
        assert spearman(x, y) == pytest.approx(spearmanr(x, y).statistic, abs=1e-12)
    else:
        assert math.isnan(spearman(x, y))
    for measure in (spearman, weighted_tau, top_precision):
        np.testing.assert_allclose(measure(x[::-1], y[::-1]), measure(x, y), atol=1e-12)


def test_weighted_tau_equals_scipys_for_ranks_of_the_target():
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(2, 200))
    y += x
    ranks = np.argsort(np.argsort(-y))
    for scores in (x, x.round()):
        expected = weightedtau(scores, y, rank=ranks).statistic
        assert weighted_tau(scores, y) == pytest.approx(expected, abs=1e-12)


@given(tied)
def test_weighted_tau_equals_brute_force_with_ties(pairs):
    x, y = (np.array(variable) for variable in zip(*pairs, strict=True))
    n, better = len(y), (y[:, None] < y).sum(axis=1)
    same = (y[:, None] == y).sum(axis=1)
    weights = [np.mean(1 / (better[i] + 1 + np.arange(same[i]))) for i in range(n)]
    a, b = np.sign(x[:, None] - x), np.sign(y[:, None] - y)
    w = np.add.outer(weights, weights)
    product = (w * a * a).sum() * (w * b * b).sum()
    result = weighted_tau(x, y)
    if product:
        assert result == pytest.approx((w * a * b).sum() / math.sqrt(product), abs=1e-12)
    else:
        assert math.isnan(result)


def test_weighted_tau_asks_most_of_the_best():
    y = np.arange(20.0)
    worst_swapped, best_swapped = y.copy(), y.copy()
    worst_swapped[[0, 1]] = 1, 0
    best_swapped[[18, 19]] = 19, 18
    assert weighted_tau(best_swapped, y) < weighted_tau(worst_swapped, y) < 1


def test_top_precision_counts_the_overlap():
    y = np.arange(30)
    assert top_precision(y, y) == 1
    assert top_precision(-y, y) == 0
    # Of the three best, the score finds two.
    x = y.copy()
    x[27], x[0] = 0, 27
    assert top_precision(x, y, 0.1) == pytest.approx(2 / 3)
    assert top_precision(y, y, 0.07) == 1
    assert math.isnan(top_precision([], []))


@pytest.mark.parametrize("fraction", [0.1, 0.25, 1.0])
def test_top_precision_of_ties_is_the_mean_over_random_choices(fraction):
    generator = np.random.default_rng(1)
    x, y = generator.integers(0, 4, (2, 40))
    k = math.ceil(fraction * 40)
    found = []
    for _ in range(4000):
        a, b = (np.lexsort((generator.random(40), v))[-k:] for v in (x, y))
        found.append(len(np.intersect1d(a, b)) / k)
    error = np.std(found) / math.sqrt(len(found))
    assert top_precision(x, y, fraction) == pytest.approx(np.mean(found), abs=4 * error + 1e-12)
    assert top_precision(np.zeros(40), y, fraction) == pytest.approx(k / 40)


def test_bad_questions_are_refused():
    for measure in (spearman, weighted_tau, top_precision):
        with pytest.raises(ValueError, match="NaN"):
            measure([1, 2, math.nan], [1, 2, 3])
        with pytest.raises(ValueError, match="equal length"):
            measure([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match=r"in \(0, 1\]; got 10"):
        top_precision([1, 2], [1, 2], 10)
