"""Traces and spectra of Hessians against dense matrices in float64."""

import numpy as np
import pytest
import torch
from torch import nn

import proxies
from proxies.conditions import OptionError
from proxies.hessian_spectrum import _estimated
from proxies.stochastic import hutchinson, quadrature, signs
from tests.any_modules import Around, exact_parameter_hessian
from tests.small_networks import Smooth, batch, cell_network, dense_input_hessian
from tests.test_any_module_scores import Once


def matrix(size: int = 12) -> torch.Tensor:
    rows = torch.randn(size, size, generator=torch.Generator().manual_seed(0)).double()
    return rows + rows.mT


def score(network, name, **options):
    images, labels = batch(5)
    return proxies.score(network, images, labels, name, options={name: options})[name]


def smooth() -> nn.Module:
    torch.manual_seed(0)
    network = Smooth().double().eval()
    network.norm.running_mean += 0.1  # not fresh
    return network


def dense_parameters() -> np.ndarray:
    images, labels = batch(5)
    return exact_parameter_hessian(smooth(), images, labels).detach().numpy()


def test_hutchinson_is_right_on_average_and_exact_for_a_diagonal():
    source, rows = torch.Generator().manual_seed(0), matrix()
    vectors = signs((20000, 1, 12), source).double()
    found = hutchinson(lambda v: v @ rows, vectors)[:, 0]
    assert abs(float(found.mean() - rows.trace())) < 4 * float(found.std()) / 20000**0.5
    diagonal = torch.diag(rows.diagonal())
    exact = hutchinson(lambda v: v @ diagonal, vectors[:3])
    assert exact.flatten().tolist() == pytest.approx([float(rows.trace())] * 3)


def test_quadrature_is_exact_for_low_powers_and_for_full_length():
    rows = matrix()
    start = torch.randn(1, 1, 12, generator=torch.Generator().manual_seed(1)).double()
    unit = start[0, 0] / start.norm()
    spectrum = quadrature(lambda v: v @ rows, start, 3)
    for power in range(6):  # up to 2 · 3 − 1
        expected = 12 * float(unit @ torch.linalg.matrix_power(rows, power) @ unit)
        assert spectrum.moment(power) == pytest.approx(expected, rel=1e-9)
    # From an eigenbasis' every direction alike the density is the spectrum itself.
    values, vectors = torch.linalg.eigh(rows)
    whole = quadrature(lambda v: v @ rows, vectors.sum(1)[None, None], 12)
    assert sorted(whole.points.tolist()) == pytest.approx(values.tolist())
    assert whole.weights.tolist() == pytest.approx([1 / 12] * 12)
    sizes = values.abs() / values.abs().sum()
    assert whole.entropy == pytest.approx(float(-(sizes * sizes.log()).sum()))
    assert whole.negative_share == pytest.approx(float(sizes[values < 0].sum()))


def test_an_exhausted_space_ends_the_quadrature():
    spectrum = quadrature(lambda v: 3 * v, torch.ones(2, 1, 9).double(), 5)
    assert spectrum.points.tolist() == pytest.approx([3, 3])
    assert spectrum.moment(1) == pytest.approx(27)


def test_the_input_trace_of_a_piecewise_linear_network_is_exact():
    images, labels = batch(5)
    dense = dense_input_hessian(calibrated(), images, labels)
    expected = float(dense.diagonal(dim1=1, dim2=2).sum(1).mean())
    found = score(calibrated(), "hessian_input_trace")
    assert found.details["method"] == "exact"
    assert found.value == pytest.approx(expected, rel=1e-9)
    estimate = score(calibrated(), "hessian_input_trace", method="hutchinson", samples=64)
    assert abs(estimate.value - expected) < 4 * estimate.details["standard_error"]


def calibrated() -> nn.Module:
    network = cell_network()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.add_(0.1)
    return network.eval()


def test_the_input_trace_of_a_smooth_network_is_estimated():
    images, labels = batch(5)
    dense = dense_input_hessian(smooth(), images, labels)
    expected = float(dense.diagonal(dim1=1, dim2=2).sum(1).mean())
    found = score(smooth(), "hessian_input_trace", samples=400)
    assert found.details["method"] == "hutchinson"
    error = found.details["standard_error"]
    # The variance of zᵀHz is twice the sum of the squares off the diagonal.
    off = 2 * (dense.square().sum((1, 2)) - dense.diagonal(dim1=1, dim2=2).square().sum(1))
    assert error == pytest.approx(float(off.sum() / 25 / 400) ** 0.5, rel=0.15)
    assert abs(found.value - expected) < 4 * error


def test_an_estimate_that_may_be_of_either_sign_says_so():
    rows = torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
    assert "its sign is not known" in (_estimated(rows, "products").reason or "")
    assert _estimated(rows + 9, "products").reason is None


def test_the_trace_over_the_parameters():
    rows = dense_parameters()
    found = score(smooth(), "hessian_params_trace", samples=600)
    error = found.details["standard_error"]
    off = 2 * ((rows**2).sum() - (rows.diagonal() ** 2).sum())
    assert error == pytest.approx((off / 600) ** 0.5, rel=0.2)  # three times its own error
    assert abs(found.value - np.trace(rows)) < 4 * error
    few = score(smooth(), "hessian_params_trace", samples=8)
    assert few.value == score(smooth(), "hessian_params_trace").value


def test_the_spectrum_over_the_parameters():
    values = np.linalg.eigvalsh(dense_parameters())
    mass = np.abs(values) / np.abs(values).sum()
    mass = mass[mass > 1e-9]
    options = {"starts": 200, "steps": 30}
    names = ["hessian_params_negative", "hessian_params_entropy"]  # of one spectrum
    both = proxies.score(smooth(), *batch(5), names, options=dict.fromkeys(names, options))
    negative, entropy = (both[name] for name in names)
    expected = np.abs(values[values < 0]).sum() / np.abs(values).sum()
    assert negative.value == pytest.approx(expected, abs=0.01)
    assert entropy.value == pytest.approx(-(mass * np.log(mass)).sum(), abs=0.05)
    assert negative.details["trace"] == pytest.approx(values.sum(), rel=0.1)
    assert negative.details["trace_of_square"] == pytest.approx((values**2).sum(), rel=0.2)


def test_differences_serve_without_a_second_derivative():
    once, twice = Around(after=lambda z: Once.apply(z) * 3), Around(after=lambda z: z.tanh() * 3)
    images = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    names = ["hessian_input_trace", "hessian_params_trace", "hessian_params_negative"]
    found, expected = (
        proxies.score(network, images, torch.arange(4), names) for network in (once, twice)
    )
    for name in names:
        assert "differences" in found[name].details["method"]
        assert found[name].value == pytest.approx(expected[name].value, rel=1e-2, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("hessian_input_trace", {"method": "lanczos"}),
        ("hessian_input_trace", {"method": "exact"}),
        ("hessian_params_trace", {"samples": 0}),
        ("hessian_params_entropy", {"steps": 1}),
    ],
)
def test_options_that_make_no_sense_are_refused(name, options):
    with pytest.raises(OptionError):
        score(smooth(), name, **options)
