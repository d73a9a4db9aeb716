import math
from itertools import product

import numpy as np
import pytest

from evaluation.correlation import (
    confidence_interval,
    kendall_tau_b,
    tau_b,
    tau_difference,
)
from tests.bootstrap import resampled_taus


def normal(n, rho, generator, decimals=None):
    x, noise = generator.normal(size=(2, n))
    y = rho * x + math.sqrt(1 - rho**2) * noise
    return (x, y) if decimals is None else (x.round(decimals), y.round(decimals))


def binomial_band(repeats, level=0.95):
    """Return where the share of ``repeats`` trials lies with probability .999."""
    half = 3.29 * math.sqrt(level * (1 - level) / repeats)
    return level - half, level + half


@pytest.mark.parametrize(
    ("n", "rho", "decimals"), [(100, 0.0, None), (100, 0.8, None), (150, 0.5, 0), (300, -0.9, 1)]
)
def test_intervals_cover_the_populations_tau_as_often_as_they_say(n, rho, decimals):
    generator, repeats = np.random.default_rng(n), 2000
    truth = 2 / math.pi * math.asin(rho)
    if decimals is not None:
        truth = kendall_tau_b(*normal(400_000, rho, generator, decimals))
    ends = [
        confidence_interval(tau_b(*normal(n, rho, generator, decimals))) for _ in range(repeats)
    ]
    low, high = binomial_band(repeats)
    assert low < np.mean([a < truth < b for a, b in ends]) < high
    # And they miss on either side, not on one.
    beyond = np.mean([b <= truth for _, b in ends]), np.mean([a >= truth for a, _ in ends])
    assert max(beyond) < 0.04


def test_a_difference_covers_and_rejects_as_often_as_it_says():
    generator, repeats = np.random.default_rng(1), 2000
    results = []
    for _ in range(repeats):
        y = generator.normal(size=120)
        x, other = (y + generator.normal(size=120) for _ in range(2))
        results.append(tau_difference(tau_b(x, y), tau_b(other, y)))
    low, high = binomial_band(repeats)
    assert low < np.mean([r.low < 0 < r.high for r in results]) < high
    assert 1 - high < np.mean([r.p < 0.05 for r in results]) < 1 - low
    # The interval and the test are of one error.
    assert all((r.low < 0 < r.high) == (r.p > 0.05) for r in results)


def test_a_difference_sees_what_two_scores_share():
    x, y = normal(400, 0.6, np.random.default_rng(2))
    other = x + 0.1 * np.random.default_rng(3).normal(size=400)
    first, second = tau_b(x, y), tau_b(other, y)
    result = tau_difference(first, second)
    taus = resampled_taus([(x, y), (other, y)], seed=4)
    differences = taus[:, 0] - taus[:, 1]
    assert result.value == pytest.approx(first.tau - second.tau)
    assert result.standard_error == pytest.approx(differences.std(), rel=0.1)
    apart = math.hypot(first.standard_error, second.standard_error)
    assert result.standard_error < 0.5 * apart
    np.testing.assert_allclose(
        [result.low, result.high], np.quantile(differences, [0.025, 0.975]), atol=0.01
    )
    turned = tau_difference(first, tau_b(-other, y), sign=-1)
    assert turned.value == pytest.approx(result.value)
    assert turned.p == pytest.approx(result.p)


def test_ends_stay_in_range_and_widen_with_the_level():
    x, y = normal(12, 0.99, np.random.default_rng(5))
    result = tau_b(x, y)
    inner, outer = confidence_interval(result, 0.5), confidence_interval(result, 0.99)
    assert -1 < outer[0] < inner[0] < result.tau < inner[1] < outer[1] < 1


def test_where_an_interval_is_unknown_it_is_nan():
    x = np.arange(5)
    for result in (tau_b(x, np.zeros(5)), tau_b([1, 2], [1, 2]), tau_b(x, x), tau_b(x, -x)):
        assert all(map(math.isnan, confidence_interval(result)))
    alike = tau_difference(tau_b(x, [1, 3, 2, 5, 4]), tau_b(x**3, [1, 3, 2, 5, 4]))
    assert (alike.value, alike.standard_error, alike.p) == (0, 0, 1)
    assert math.isnan(tau_difference(tau_b(x, x), tau_b(x, np.ones(5))).p)


def test_no_sample_makes_tau_certain():
    every = [tau_b(range(n), order) for n in range(3, 6) for order in product(range(n), repeat=n)]
    level = [result for result in every if result.standard_error < 1e-9]
    assert len({round(abs(result.tau), 4) for result in level}) > 2  # not at τ = ±1 only
    for result in level:
        assert math.isnan(result.known_error)
        assert all(map(math.isnan, confidence_interval(result)))
    one, other = (tau_b(range(4), order) for order in ([0, 1, 2, 3], [3, 2, 1, 0]))
    apart = tau_difference(one, other)
    assert apart.value == 2
    assert all(map(math.isnan, (apart.low, apart.high, apart.p)))


def test_bad_questions_are_refused():
    result = tau_b([1, 2, 3], [1, 3, 2])
    with pytest.raises(ValueError, match="between 0 and 1; got 95"):
        confidence_interval(result, 95)
    with pytest.raises(ValueError, match="same samples; got 3 and 4"):
        tau_difference(result, tau_b([1, 2, 3, 4], [1, 2, 3, 4]))
