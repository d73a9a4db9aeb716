import numpy as np
import pytest
from scipy.stats import kendalltau

from evaluation.correlation import Bootstrap, tau_b
from evaluation.correlation import bootstrap as module


def families(n, seed=0):
    generator = np.random.default_rng(seed)
    y = generator.normal(size=n)
    few = generator.integers(0, 5, n)
    rare = (generator.random(n) < 0.02).astype(float)
    return [y, (y + generator.normal(size=n)).round(1), few, rare, generator.permutation(n)]


def naive(bootstrap, x, y):
    places = np.arange(bootstrap.n)
    draws = [np.repeat(places, counts.astype(int)) for counts in bootstrap.counts.T]
    with np.errstate(invalid="ignore"):
        return [kendalltau(x[draw], y[draw]).statistic for draw in draws]


@pytest.mark.parametrize("n", [2, 30, 700])
def test_every_resample_equals_scipys_ties_included(n):
    bootstrap, variables = Bootstrap(n, 12, seed=n), families(n, n)
    assert (bootstrap.counts.sum(axis=0) == n).all()
    for x in variables:
        taus = bootstrap.taus(x, variables)
        for column, y in enumerate(variables):
            np.testing.assert_allclose(taus[:, column], naive(bootstrap, x, y), atol=1e-12)


def test_double_precision_takes_over_before_single_is_inexact(monkeypatch):
    bootstrap, (x, y, *_) = Bootstrap(400, 5), families(400)
    single = bootstrap.taus(x, [y])
    monkeypatch.setattr(module, "EXACT", 0)
    np.testing.assert_array_equal(bootstrap.taus(x, [y]), single)


def test_draws_depend_on_the_seed_alone_and_are_shared():
    x, y, *_ = families(50)
    one = Bootstrap(50, 20, seed=3).taus(x, [y, y])
    np.testing.assert_array_equal(one, Bootstrap(50, 20, seed=3).taus(x, [y, y]))
    np.testing.assert_array_equal(one[:, 0], one[:, 1])
    assert (one != Bootstrap(50, 20, seed=4).taus(x, [y, y])).any()


def test_its_spread_is_the_standard_error():
    x, y, few, *_ = families(500, 5)
    taus = Bootstrap(500, 2000).taus(x, [x + 2 * y[::-1], few])
    for column, target in enumerate((x + 2 * y[::-1], few)):
        error = tau_b(x, target).standard_error
        assert taus[:, column].std() == pytest.approx(error, rel=0.08)


def test_bad_questions_are_refused():
    with pytest.raises(ValueError, match="got 0 and 5"):
        Bootstrap(0, 5)
    with pytest.raises(ValueError, match="equal length"):
        Bootstrap(4, 5).taus([1, 2, 3], [[1, 2, 3]])
    with pytest.raises(ValueError, match="NaN"):
        Bootstrap(3, 5).taus([1, 2, 3], [[1, np.nan, 3]])
