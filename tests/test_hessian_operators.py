"""Products with Hessians of networks that share, freeze or forget parameters."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from proxies.estimators import lanczos, power_iteration
from proxies.hessian_operators import InputHessian, ParameterHessian
from proxies.preparation import prepare
from proxies.second_order import NoSecondDerivativeError
from tests.small_networks import Smooth, batch, cell_network, dense_parameter_hessian


class Tied(nn.Module):
    """Two convolutions of one weight, each before a batch norm of its own, and a shared block."""

    def __init__(self):
        super().__init__()
        first, second = (nn.Conv2d(3, 3, 3, padding=1, bias=False) for _ in range(2))
        second.weight = first.weight
        self.one = nn.Sequential(first, nn.BatchNorm2d(3), nn.ReLU())
        self.two = nn.Sequential(second, nn.BatchNorm2d(3), nn.Tanh())
        self.again = self.two
        self.head = nn.Linear(3, 3)

    def forward(self, images):
        return self.head(self.again(self.two(self.one(images))).mean((2, 3)))


class Odd(nn.Module):
    """A scalar parameter, one that nobody reads, one that is linear, one of integers."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.3))
        self.unused = nn.Parameter(torch.randn(4))
        self.count = nn.Parameter(torch.tensor(3), requires_grad=False)
        self.conv = nn.Conv2d(3, 2, 3)
        self.head = nn.Linear(2, 3)

    def forward(self, images):
        return self.head((self.conv(images) * self.scale).tanh().mean((2, 3)))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 2, 3, bias=False), nn.BatchNorm2d(2))
        self.cell = nn.LSTM(2, 3, batch_first=True)

    def forward(self, images):
        return self.cell(self.stem(images).flatten(2).mT)[0][:, -1]


def frozen():
    network = Smooth()
    network.conv.requires_grad_(False)
    return network


NETWORKS = [cell_network, Smooth, Tied, Odd, Recurrent, frozen]


def ready(make):
    torch.manual_seed(0)
    images, labels = batch()
    return prepare(make().double(), images, "calibrated"), images, labels


def dense(operator):
    identity = torch.eye(operator.shape[1], dtype=torch.float64)
    return torch.cat([operator(row[None]) for row in identity])


@pytest.mark.parametrize("make", NETWORKS)
@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.parametrize("channels_last", [True, False])
def test_products_and_gradient_are_those_of_finite_differences(make, fold, channels_last):
    network, images, labels = ready(make)
    found = ParameterHessian(network, images, labels, fold=fold, channels_last=channels_last)
    leaves = [p.requires_grad_() for p in network.parameters() if p.is_floating_point()]
    vector = torch.randn(found.shape, dtype=torch.float64)

    def gradient():
        loss = cross_entropy(network(images), labels)
        rows = torch.autograd.grad(loss, leaves, allow_unused=True)
        pairs = zip(leaves, rows, strict=True)
        live = [(leaf, row) for leaf, row in pairs if row is not None]
        return [leaf for leaf, _ in live], torch.cat([row.flatten() for _, row in live])

    reached, expected = gradient()
    torch.testing.assert_close(found.gradient[0], expected, rtol=1e-10, atol=1e-12)
    pieces = vector[0].split([leaf.numel() for leaf in reached])
    sides = []
    for step in (1e-5, -2e-5):
        with torch.no_grad():
            for leaf, piece in zip(reached, pieces, strict=True):
                leaf += step * piece.view_as(leaf)
        sides.append(gradient()[1])
    difference = (sides[0] - sides[1]) / 2e-5
    error = (found(vector)[0] - difference).norm() / difference.norm()
    assert float(error) < 1e-6


def test_the_dense_matrix_of_a_shared_weight():
    torch.manual_seed(0)
    layer = nn.Linear(3, 3, bias=False)
    network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), layer, nn.Tanh(), layer).double()
    images, labels = batch()
    found = dense(ParameterHessian(network, images, labels))
    torch.testing.assert_close(found, dense_parameter_hessian(network, images, labels))


@pytest.mark.parametrize("estimate", [lanczos, power_iteration])
def test_a_loss_without_a_graph_has_no_curvature(estimate):
    class Constant(nn.Module):
        def forward(self, images):
            return torch.ones(len(images), 3, dtype=images.dtype)

    images, labels = batch()
    parameters = ParameterHessian(Constant(), images, labels)
    assert parameters.shape == parameters.gradient.shape == (1, 0)
    assert parameters(torch.zeros(1, 0).double()).dtype == torch.float64
    assert estimate(parameters, torch.zeros(1, 0).double()).values.tolist() == [0]
    pixels = InputHessian(Constant(), images, labels)
    assert not pixels.gradient.any()
    assert not pixels(torch.randn_like(pixels.gradient)).any()


def test_a_loss_that_is_linear_in_what_it_reads():
    class Shifted(nn.Module):
        """The loss of one class is 0 whatever the logit is, and its gradient has no graph."""

        def __init__(self):
            super().__init__()
            self.shift = nn.Parameter(torch.zeros(1))

        def forward(self, images):
            return images.flatten(1)[:, :1] + self.shift

    images, labels = batch(classes=1)
    operator = ParameterHessian(Shifted(), images, labels)
    assert operator(torch.ones(1, 1)).tolist() == [[0]]


def test_the_callers_mode_does_not_matter():
    network, images, labels = ready(Smooth)
    vector = torch.ones(ParameterHessian(network, images, labels).shape).double()
    expected = ParameterHessian(network, images, labels)(vector)
    with torch.no_grad():
        found = ParameterHessian(network, images, labels)
    torch.testing.assert_close(found(vector), expected)
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("estimate", [lanczos, power_iteration])
def test_weights_that_are_not_finite_have_no_eigenvalue(bad, estimate):
    network, images, labels = ready(cell_network)
    with torch.no_grad():
        next(network.parameters())[0, 0, 0, 0] = bad
    for operator in (ParameterHessian, InputHessian):
        matvec = operator(network, images, labels)
        found = estimate(matvec, torch.randn(matvec.shape, dtype=torch.float64))
        assert found.values.isnan().all()
        assert not found.converged.any()


class Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.square()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        return 2 * ctx.saved_tensors[0] * gradient


class Bag(nn.Module):
    """Its error is raised by a product, not by a node that can be seen."""

    def forward(self, images):
        rows = torch.arange(6).view(3, 2)
        return nn.functional.embedding_bag(rows, images.flatten(1).tanh(), mode="sum").tanh()


class Squares(nn.Module):
    def forward(self, images):
        return Once.apply(images.tanh()).mean((2, 3))


@pytest.mark.parametrize("operator", [InputHessian, ParameterHessian])
@pytest.mark.parametrize(("last", "size"), [(Squares(), 4), (Bag(), 6)])
def test_a_missing_second_derivative_has_a_name(operator, last, size):
    network = nn.Sequential(nn.Conv2d(3, 3, 1), last).double()
    images, labels = batch(size)

    def product():
        matvec = operator(network, images, labels[: len(last(images))])
        return matvec(torch.ones(matvec.shape, dtype=torch.float64))

    with pytest.raises(NoSecondDerivativeError, match=r"twice|second derivative"):
        product()
