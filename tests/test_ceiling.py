import math

import numpy as np
import pytest

from evaluation.correlation import kendall_tau_b, noise_ceiling
from evaluation.correlation.ceiling import twin_residuals
from evaluation.truths.published import Truth
from testbed.spaces.nasbench201.functional_twins import functional_twins
from tests.truth_folder import published_truth


def trained_twice(noise, n=3000, seed=0):
    """Return true accuracies, one measurement of each, and groups of twins among them."""
    generator = np.random.default_rng(seed)
    groups = [list(range(3 * i, 3 * i + 3)) for i in range(200)]
    true = generator.beta(4, 3, n)
    for group in groups:
        true[group] = true[group[0]]
    # Better networks are less noisy, as trained ones are.
    return true, true + noise * (1.2 - true) * generator.normal(size=n), groups


@pytest.mark.parametrize("noise", [0.01, 0.05, 0.1])
def test_it_is_the_tau_of_the_true_accuracies(noise):
    true, measured, groups = trained_twice(noise)
    reached = kendall_tau_b(true, measured)
    assert noise_ceiling(measured, groups) == pytest.approx(reached, abs=0.03)


def test_without_noise_the_ceiling_is_one():
    true, _, groups = trained_twice(0)
    assert noise_ceiling(true, groups) == 1


def test_residuals_have_the_spread_of_the_noise():
    generator = np.random.default_rng(1)
    y = np.repeat(generator.normal(size=2000), 2) + 0.1 * generator.normal(size=4000)
    means, residuals, sizes = twin_residuals(y, np.arange(4000).reshape(-1, 2).tolist())
    assert residuals.std() == pytest.approx(0.1, rel=0.05)
    np.testing.assert_allclose(means, y.reshape(-1, 2).mean(axis=1))
    np.testing.assert_allclose(residuals[:2], (y[:2] - means[0]) * np.sqrt(2))
    assert sizes.tolist() == [2] * 2000


def test_where_it_cannot_be_said_it_is_nan():
    y = np.linspace(0, 1, 100)
    assert math.isnan(noise_ceiling(y, []))
    assert math.isnan(noise_ceiling(y, [[i, i + 1] for i in range(19)]))
    assert math.isnan(noise_ceiling(np.ones(100), [[i, i + 1] for i in range(30)]))
    with pytest.raises(ValueError, match=r"two members or more; got \[3\]"):
        noise_ceiling(y, [[3]] * 30)


def test_published_ceilings():
    targets = Truth.open(published_truth()).targets()
    places = {number: place for place, number in enumerate(targets.index)}
    groups = [[places[i] for i in group] for group in functional_twins(targets.index)]
    names = ["clean", "fgsm@1", "pgd@1", "apgd@1", "square@1", "mean corruption"]
    ceilings = [noise_ceiling(targets[name], groups) for name in names]
    np.testing.assert_allclose(ceilings, [0.94, 0.93, 0.85, 0.85, 0.81, 0.78], atol=0.01)
