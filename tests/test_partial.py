import math

import numpy as np
import pytest

from evaluation.correlation import partial_from, partial_tau_b, tau_b
from tests.bootstrap import resampled_taus


def variables(n, seed, decimals=None):
    generator = np.random.default_rng(seed)
    z = generator.normal(size=n)
    shared = generator.normal(size=n)
    x, y = (0.7 * z + 0.6 * shared + generator.normal(size=n) for _ in range(2))
    return [x, y, z] if decimals is None else [v.round(decimals) for v in (x, y, z)]


@pytest.mark.parametrize("decimals", [None, 0])
def test_it_is_the_correlation_of_what_a_regression_on_z_leaves(decimals):
    n = 40
    signs = [np.sign(v[:, None] - v).ravel() for v in variables(n, 0, decimals)]
    x, y, z = (s[:, None] for s in signs)
    left = [v - z @ np.linalg.lstsq(z, v, rcond=None)[0] for v in (x, y)]
    expected = (left[0] * left[1]).sum() / math.sqrt((left[0] ** 2).sum() * (left[1] ** 2).sum())
    assert partial_tau_b(*variables(n, 0, decimals)).tau == pytest.approx(expected, abs=1e-12)


def test_a_case_by_hand():
    x, y, z = [1, 2, 3, 4], [2, 1, 4, 3], [1, 2, 4, 3]
    # τ_xy = 2/6, τ_xz = 4/6, τ_yz = 4/6.
    assert partial_tau_b(x, y, z).tau == pytest.approx((1 / 3 - 4 / 9) / (5 / 9))


@pytest.mark.parametrize("decimals", [None, 0])
def test_the_error_agrees_with_the_bootstrap(decimals):
    x, y, z = variables(300, 1, decimals)
    xy, xz, yz = resampled_taus([(x, y), (x, z), (y, z)], seed=2).T
    spread = ((xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))).std()
    result = partial_tau_b(x, y, z)
    assert result.standard_error == pytest.approx(spread, rel=0.1)
    assert abs(result.influence.mean()) < 1e-12


def test_intervals_of_two_errors_cover_the_populations():
    truth = partial_tau_b(*variables(200_000, 3)).tau
    results = [partial_tau_b(*variables(200, seed)) for seed in range(1000)]
    inside = np.mean([abs(r.tau - truth) < 1.96 * r.standard_error for r in results])
    assert 0.925 < inside < 0.97


def test_nothing_is_left_where_x_or_y_ranks_as_z():
    x, y, _ = variables(50, 4)
    for arguments in ((x, y, y), (x, y, -x), (x, y, np.exp(y)), (np.ones(50), y, x)):
        result = partial_tau_b(*arguments)
        assert math.isnan(result.tau)
        assert math.isnan(result.standard_error)
        assert np.isnan(result.influence).all()
    with pytest.raises(ValueError, match="got 50, 49 and 50"):
        partial_from(tau_b(x, y), tau_b(x[1:], y[1:]), tau_b(y, x))
