"""CLEVER and the fit below it, against scipy and a linear network's exact margin."""

import numpy as np
import pytest
import torch
from scipy.stats import weibull_max
from torch import nn

import proxies
from proxies.conditions import OptionError
from proxies.robust.weibull import end_points
from tests.any_modules import CLASSES, exact_jacobian
from tests.any_modules import images as float_images


def score(network, x, **options):
    return proxies.score(network, x, None, "clever", options={"clever": options})["clever"]


def best_fit(maxima):
    """The likeliest location, of scipy's fits from several starts."""
    starts = [(c, maxima.max() + d) for c in (1, 3, 10) for d in (0.1, 1)]
    fits = [weibull_max.fit(maxima, c, loc=loc, scale=1) for c, loc in starts]
    return max(fits, key=lambda fit: weibull_max.logpdf(maxima, *fit).sum())


@pytest.mark.parametrize("shape", [1.5, 3, 8])
def test_the_location_is_that_of_scipy(shape):
    rows = [weibull_max.rvs(shape, 5, 2, size=60, random_state=seed) for seed in range(4)]
    fits = [best_fit(row) for row in rows]
    regular = [i for i, fit in enumerate(fits) if 1.05 < fit[0] < 50]
    assert len(regular) >= 3
    ends, known = end_points(torch.tensor(np.stack(rows)))
    for i in regular:
        assert bool(known[i])
        assert float(ends[i]) == pytest.approx(fits[i][1], rel=1e-4)


def test_without_a_finite_location_the_largest_maximum_stands_in():
    heavy = torch.tensor([[1.0, 1.01, 1.02, 1.03, 1.05, 1.1, 1.3, 2.5, 9.0]])
    ends, known = end_points(torch.cat([heavy, torch.full_like(heavy, 3.0)]))
    assert ends.tolist() == [9, 3]
    assert known.tolist() == [False, True]


@pytest.mark.parametrize(("norm", "dual"), [("inf", 1), ("2", 2)])
def test_of_a_linear_network_it_is_the_exact_margin(norm, dual):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(768, CLASSES)).double()
    x = float_images(4).double()
    weight, logits = network[1].weight.detach(), network(x).detach()
    margins = []
    for row in logits:
        y = int(row.argmax())
        slopes = (weight[y] - weight).norm(dual, dim=1)
        margins.append(min(float((row[y] - row[k]) / slopes[k]) for k in range(CLASSES) if k != y))
    found = score(network, x, norm=norm, radius=1e4)
    assert found.value == pytest.approx(255 * np.mean(margins), rel=1e-9)
    assert found.details["unbounded"] == 0
    cut = score(network, x, norm=norm, radius=255 * np.mean(margins))
    limited = np.minimum(margins, np.mean(margins)).mean()
    assert cut.value == pytest.approx(255 * limited, rel=1e-9)
    assert 0 < cut.details["capped"] < 4


def test_of_a_curved_network_from_the_same_points():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(768, 9), nn.Tanh(), nn.Linear(9, CLASSES))
    x, points = float_images(2).double(), []

    def keep(_, inputs):
        if len(inputs[0]) == 120:
            points.append(inputs[0].detach().clone())

    handle = network.register_forward_pre_hook(keep)
    found = score(network, x, images=2, batches=20, samples=3, radius=200.0)
    handle.remove()
    moved = points[0].double()
    offsets = (moved.unflatten(0, (2, 60)) - x[:, None]).abs().flatten(2)
    assert float(offsets.max()) <= 200 / 255
    assert float(offsets.amax(2).min()) > 0.99 * 200 / 255  # evenly from a cube of 768 dimensions
    rows, logits = exact_jacobian(network, moved), network(x).detach()
    radii = []
    for i, row in enumerate(logits):
        y, own = int(row.argmax()), rows[60 * i : 60 * (i + 1)]
        for k in set(range(CLASSES)) - {y}:
            maxima = (own[:, y] - own[:, k]).abs().sum(1).view(20, 3).amax(1).numpy()
            c, loc, _ = best_fit(maxima)
            end = loc if 1 <= c < 1e3 else maxima.max()
            radii.append(255 * float(row[y] - row[k]) / end)
    expected = np.mean(np.reshape(radii, (2, CLASSES - 1)).min(1))
    assert found.value == pytest.approx(min(expected, 200), rel=2e-3)


@pytest.mark.parametrize("wrong", [{"samples": 0}, {"radius": 0.0}, {"norm": "1"}, {"images": -1}])
def test_options_that_make_no_sense_are_refused(wrong):
    with pytest.raises(OptionError, match="got"):
        score(nn.Sequential(nn.Flatten(), nn.Linear(768, 3)), float_images(2), **wrong)
