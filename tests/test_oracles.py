"""Every matrix-free quantity against the dense matrix, in float64 and to 1e-6."""

from functools import cache

import pytest
import torch

import proxies
from proxies.preparation import prepare
from tests.small_networks import (
    DEAD,
    IDS,
    ONE_OF_EACH,
    Smooth,
    batch,
    cell_network,
    dense_input_hessian,
    dense_jacobian,
    dense_parameter_hessian,
    extremes,
)

TIGHT = {"tolerance": 1e-9, "max_iterations": 5000}


def scores(network, names, images, labels, **options):
    given = dict.fromkeys(names, options) if options else None
    return proxies.score(network, images, labels, names, options=given)


def smooth():
    torch.manual_seed(0)
    return Smooth().double()


@pytest.mark.parametrize("index", [*IDS, ONE_OF_EACH, DEAD])
def test_jacobian_norm_is_that_of_the_dense_matrix(index):
    network, (images, labels) = cell_network(index), batch()
    found = scores(network, ["jacobian_norm"], images, labels)["jacobian_norm"]
    dense = dense_jacobian(prepare(network, images, "calibrated"), images)
    expected = torch.linalg.matrix_norm(dense).mean()
    assert found.value == pytest.approx(float(expected), rel=1e-9, abs=0)
    assert (found.value == 0) == (index == DEAD)


@pytest.mark.parametrize("index", [*IDS, ONE_OF_EACH])
def test_input_hessian_of_a_piecewise_linear_network(index):
    network, (images, labels) = cell_network(index), batch()
    names = ["hessian_input", "hessian_input_positive", "gauss_newton_input"]
    found = scores(network, names, images, labels)
    dense = dense_input_hessian(prepare(network, images, "calibrated"), images, labels)
    magnitude, positive = (values.mean() for values in extremes(dense))
    assert found["hessian_input"].details["method"] == "exact"
    assert float(found["hessian_input"]) == pytest.approx(float(magnitude), rel=1e-6)
    assert float(found["hessian_input_positive"]) == pytest.approx(float(positive), rel=1e-6)
    assert float(found["gauss_newton_input"]) == pytest.approx(float(positive), rel=1e-6)


@pytest.mark.parametrize("method", ["lanczos", "power"])
def test_the_general_path_agrees_with_the_exact_one(method):
    network, (images, labels) = cell_network(), batch()
    exact = scores(network, ["hessian_input"], images, labels, method="exact")
    general = scores(network, ["hessian_input"], images, labels, method=method, **TIGHT)
    assert general["hessian_input"].converged
    assert float(general["hessian_input"]) == pytest.approx(float(exact["hessian_input"]), rel=1e-6)


@pytest.mark.parametrize("method", ["lanczos", "power"])
@pytest.mark.parametrize("which", ["magnitude", "positive"])
def test_input_hessian_of_a_smooth_network(method, which):
    network, (images, labels) = smooth(), batch()
    found = scores(network, ["hessian_input"], images, labels, method=method, which=which, **TIGHT)
    dense = dense_input_hessian(prepare(network, images, "calibrated"), images, labels)
    magnitude, positive = extremes(dense)
    expected = float((magnitude if which == "magnitude" else positive).mean())
    assert found["hessian_input"].converged
    assert float(found["hessian_input"]) == pytest.approx(expected, rel=1e-6)


def test_gauss_newton_is_not_the_hessian_of_a_smooth_network():
    network, (images, labels) = smooth(), batch()
    found = scores(network, ["hessian_input", "gauss_newton_input"], images, labels)
    assert found["hessian_input"].details["method"] == "lanczos"
    assert found["gauss_newton_input"].details["method"] == "gauss-newton"
    ratio = float(found["gauss_newton_input"]) / float(found["hessian_input"])
    assert abs(ratio - 1) > 0.01
    with pytest.raises(ValueError, match="piecewise-linear"):
        scores(network, ["hessian_input"], images, labels, method="exact")


@cache
def parameter_extremes(make):
    images, labels = batch()
    ready = prepare(make(), images, "calibrated")
    return extremes(dense_parameter_hessian(ready, images, labels))


@pytest.mark.parametrize("make", [cell_network, smooth])
@pytest.mark.parametrize("method", ["lanczos", "power"])
@pytest.mark.parametrize("which", ["magnitude", "positive"])
def test_parameter_hessian(make, method, which):
    network, (images, labels) = make(), batch()
    name = "hessian_params"
    found = scores(network, [name], images, labels, method=method, which=which, **TIGHT)[name]
    magnitude, positive = parameter_extremes(make)
    assert found.converged
    expected = float(magnitude if which == "magnitude" else positive)
    assert found.value == pytest.approx(expected, rel=1e-6)


def test_projection_with_all_directions_is_exact():
    network, (images, labels) = cell_network(), batch()
    exact = scores(network, ["jacobian_norm"], images, labels)["jacobian_norm"]
    for projections in (3, 6):  # of 3 classes: one and two whole frames
        name = "jacobian_projection"
        found = scores(network, [name], images, labels, projections=projections)[name]
        assert found.value == pytest.approx(exact.value, rel=1e-12)


def test_projection_estimates_the_square_without_bias():
    network, (images, labels) = cell_network(), batch(size=1)
    exact = scores(network, ["jacobian_norm"], images, labels)["jacobian_norm"].value
    name = "jacobian_projection"
    squares = torch.tensor(
        [
            proxies.score(network, images, labels, [name], seed=seed)[name].value ** 2
            for seed in range(60)
        ]
    )
    standard_error = squares.std() / len(squares) ** 0.5
    assert standard_error < 0.1 * exact**2
    assert abs(squares.mean() - exact**2) < 4 * standard_error
