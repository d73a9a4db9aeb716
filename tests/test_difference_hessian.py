"""Hessian products from gradient differences, against those of a double backward."""

import pytest
import torch
from torch import nn

from proxies.difference_hessian import DifferenceInputHessian, DifferenceParameterHessian
from proxies.estimators import lanczos
from proxies.hessian_operators import InputHessian, ParameterHessian
from proxies.preparation import prepare
from tests.small_networks import Smooth, batch, cell_network

PAIRS = [(DifferenceInputHessian, InputHessian), (DifferenceParameterHessian, ParameterHessian)]


class Partial(nn.Module):
    """A parameter without influence, and an image of which a corner is not read."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.ones(3))
        self.head = nn.Linear(3, 3)

    def forward(self, images):
        return self.head(images[..., 2:, 2:].tanh().mean((2, 3))).tanh()


def ready(make, dtype=torch.float64):
    torch.manual_seed(0)
    images, labels = batch()
    images = images.to(dtype)
    return prepare(make().to(dtype), images, "calibrated"), images, labels


@pytest.mark.parametrize(("difference", "exact"), PAIRS)
@pytest.mark.parametrize("make", [cell_network, Smooth, Partial])
def test_products_and_gradients_agree(difference, exact, make):
    expected, found = exact(*ready(make)), difference(*ready(make))
    assert found.shape == expected.shape
    torch.testing.assert_close(found.gradient, expected.gradient)
    vectors = 100 * torch.randn(found.shape, dtype=torch.float64)
    vectors[0] *= 1e-6
    for row, true in zip(found(vectors), expected(vectors), strict=True):
        assert float((row - true).norm()) <= 1e-7 * float(true.norm() + 1e-3)
    torch.testing.assert_close(found.gradient, expected.gradient)


@pytest.mark.parametrize(("difference", "exact"), PAIRS)
def test_float32_networks_are_differenced_in_float64(difference, exact):
    expected, found = exact(*ready(Smooth)), difference(*ready(Smooth, torch.float32))
    vectors = torch.randn(found.shape)
    product = found(vectors)
    assert product.dtype == found.gradient.dtype == torch.float32
    error = (product - expected(vectors.double())).norm() / product.norm()
    assert float(error) < 1e-5


def test_a_network_that_cannot_be_cast_stays_as_it_is():
    class Single(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = [torch.randn(192, 3)]

        def forward(self, images):
            return (images.flatten(1) @ self.table[0]).tanh()

    network, images, labels = ready(Single, torch.float32)
    found, expected = (make(network, images, labels) for make in PAIRS[0])
    vectors = torch.randn(found.shape)
    error = (found(vectors) - expected(vectors)).norm() / expected(vectors).norm()
    assert 1e-8 < float(error) < 1e-2


@pytest.mark.parametrize("difference", [pair[0] for pair in PAIRS])
def test_zero_vectors_and_constant_losses(difference):
    class Constant(nn.Module):
        def forward(self, images):
            return torch.ones(len(images), 3, dtype=images.dtype)

    for make in (Smooth, Constant):
        operator = difference(*ready(make))
        assert not operator(torch.zeros(operator.shape)).any()
        assert operator.gradient.shape == operator.shape


@pytest.mark.parametrize(("difference", "exact"), PAIRS)
def test_its_top_eigenvalue(difference, exact):
    network, images, labels = ready(Smooth)
    found, expected = (make(network, images, labels) for make in (difference, exact))
    start = torch.randn(found.shape, dtype=torch.float64)
    torch.testing.assert_close(
        lanczos(found, start, tolerance=1e-6).values,
        lanczos(expected, start, tolerance=1e-6).values,
    )
