import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from evaluation.correlation import kendall_tau_b, tau_b, tie_fraction
from tests.bootstrap import resampled_taus

# Few distinct integers: ties in x, in y and in both are the rule.
tied = st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=2, max_size=40)
floats = st.floats(allow_nan=False)
untied = st.lists(st.tuples(floats, floats), min_size=2, max_size=40)


def correlated(n, rho, seed=0, decimals=None):
    """Return x and y of n samples, and τ of the untied population."""
    x, noise = np.random.default_rng(seed).normal(size=(2, n))
    y = rho * x + math.sqrt(1 - rho**2) * noise
    if decimals is not None:
        x, y = x.round(decimals), y.round(decimals)
    return x, y, 2 / math.pi * math.asin(rho)


def brute_force(x, y):
    """Return τ-b and the influence values, from the n × n matrices of signs."""
    n = len(x)
    # Comparisons, for a difference of large floats overflows.
    a = (x[:, None] > x).astype(int) - (x[:, None] < x)
    b = (y[:, None] > y).astype(int) - (y[:, None] < y)
    s, p, q = ((k.sum(axis=1) / (n - 1)) for k in (a * b, a * a, b * b))
    tau = s.mean() / math.sqrt(p.mean() * q.mean())
    # The gradient of s / √(p q), times the projections 2 (kernel mean − its mean).
    gradient = np.array([1 / s.mean() if s.mean() else 0, -0.5 / p.mean(), -0.5 / q.mean()]) * tau
    if not s.mean():
        gradient[0] = 1 / math.sqrt(p.mean() * q.mean())
    return tau, 2 * sum(g * (k - k.mean()) for g, k in zip(gradient, (s, p, q), strict=True))


@given(tied | untied)
def test_tau_equals_scipys_and_the_influence_equals_brute_force(pairs):
    x, y = (np.array(variable) for variable in zip(*pairs, strict=True))
    result = tau_b(x, y)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert math.isnan(result.tau)
        assert math.isnan(result.standard_error)
        assert np.isnan(result.influence).all()
        assert result.influence.shape == x.shape
        return
    assert result.tau == pytest.approx(kendalltau(x, y).statistic, abs=1e-12)
    assert kendall_tau_b(x, y) == result.tau
    tau, influence = brute_force(x, y)
    assert result.tau == pytest.approx(tau, abs=1e-12)
    np.testing.assert_allclose(result.influence, influence, atol=1e-11)
    assert abs(result.influence.mean()) < 1e-11
    if len(x) > 2:
        error = math.sqrt(np.var(influence, ddof=1) / len(x))
        assert result.standard_error == pytest.approx(error, abs=1e-11)


@given(tied)
def test_tau_does_not_depend_on_order_scale_or_side(pairs):
    x, y = (np.array(variable) for variable in zip(*pairs, strict=True))
    result = tau_b(x, y)
    np.testing.assert_equal(kendall_tau_b(y, x), result.tau)
    np.testing.assert_equal(kendall_tau_b(np.exp(x / 2.0), 7 * y - 3), result.tau)
    np.testing.assert_equal(kendall_tau_b(-x, y), 0 - result.tau)
    flipped = tau_b(x[::-1], y[::-1])
    np.testing.assert_allclose(flipped.influence[::-1], result.influence, atol=1e-12)


@pytest.mark.parametrize("decimals", [None, 1, 0])
def test_tau_equals_scipys_on_thousands(decimals):
    x, y, _ = correlated(6466, 0.6, decimals=decimals)
    assert kendall_tau_b(x, y) == pytest.approx(kendalltau(x, y).statistic, abs=1e-12)


def test_perfect_orders_are_exactly_one():
    x = np.arange(1000)
    assert kendall_tau_b(x, x**3) == 1
    assert kendall_tau_b(x, -x) == -1
    assert kendall_tau_b(x // 7, x // 7) == 1
    assert tau_b(x, x).standard_error == 0


def test_integers_beyond_float_precision_are_not_tied():
    x = 2**60 + np.arange(50)
    assert kendall_tau_b(x, np.arange(50)) == 1
    assert tie_fraction(x) == 0


def test_types_mix_and_infinities_have_their_place():
    assert kendall_tau_b([False, True, True], [1.5, 2.5, 2.5]) == 1
    assert kendall_tau_b([0.0, 1.0, math.inf], [-math.inf, 0.0, 3.0]) == 1
    assert tie_fraction([0.0, -0.0]) == 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_where_tau_is_undefined_it_is_nan_without_warnings(n):
    result = tau_b(np.ones(n), np.arange(n))
    assert math.isnan(result.tau)
    assert math.isnan(result.standard_error)
    assert math.isnan(kendall_tau_b(np.arange(n), np.zeros(n)))
    assert math.isnan(tau_b(np.arange(2), np.arange(2)).standard_error)


def test_nan_and_unequal_lengths_are_refused():
    for function in (kendall_tau_b, tau_b):
        with pytest.raises(ValueError, match="1 of 3 values are NaN"):
            function([1, 2, 3], [1, math.nan, 3])
        with pytest.raises(ValueError, match=r"equal length; got shapes \(2,\), \(3,\)"):
            function([1, 2], [1, 2, 3])
        with pytest.raises(ValueError, match="one-dimensional"):
            function([[1, 2]], [[1, 2]])
    with pytest.raises(ValueError, match="NaN"):
        tie_fraction([1, math.nan])


@given(st.lists(st.integers(0, 5), min_size=2, max_size=30))
def test_tie_fraction_counts_pairs(values):
    n = len(values)
    tied = sum(values[i] == values[j] for i in range(n) for j in range(i))
    assert tie_fraction(values) == pytest.approx(tied / (n * (n - 1) / 2), abs=1e-15)


def test_tie_fraction_of_fewer_than_two_is_undefined():
    assert math.isnan(tie_fraction([1]))


@pytest.mark.parametrize(("rho", "decimals"), [(0.0, None), (0.7, None), (0.7, 0), (-0.4, 1)])
def test_standard_error_agrees_with_the_bootstrap(rho, decimals):
    x, y, _ = correlated(300, rho, seed=1, decimals=decimals)
    bootstrap = resampled_taus([(x, y)], seed=2).std()
    assert tau_b(x, y).standard_error == pytest.approx(bootstrap, rel=0.1)


def test_the_difference_of_two_taus_has_the_bootstraps_error_too():
    x, y, _ = correlated(300, 0.6, seed=3)
    other = x + 0.5 * np.random.default_rng(4).normal(size=300)
    influence = tau_b(x, y).influence - tau_b(other, y).influence
    taus = resampled_taus([(x, y), (other, y)], seed=5)
    bootstrap = (taus[:, 0] - taus[:, 1]).std()
    assert influence.std(ddof=1) / math.sqrt(300) == pytest.approx(bootstrap, rel=0.1)


@pytest.mark.parametrize("decimals", [None, 0])
def test_intervals_of_95_percent_cover_the_populations_tau(decimals):
    x, y, tau = correlated(400_000, 0.5, seed=6, decimals=decimals)
    if decimals is not None:
        tau = kendall_tau_b(x, y)
    results = [tau_b(x[i : i + 200], y[i : i + 200]) for i in range(0, 400_000, 200)]
    inside = [abs(r.tau - tau) < 1.96 * r.standard_error for r in results]
    # 2,000 intervals: their coverage is known to ± .01 (two standard deviations).
    assert 0.93 < np.mean(inside) < 0.965
