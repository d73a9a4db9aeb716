"""The bound from the layers' norms, against dense matrices."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import jacrev

import proxies
from proxies.robust.norms import convolution_norm
from tests.any_modules import Taps, ViT, Written, cnn
from tests.small_networks import batch, cell_network


def bound(network, size=8, count=2, channels=3):
    x = torch.rand(count, channels, size, size, dtype=torch.float64)
    found = proxies.score(network.double(), x, None, "norm_bound")["norm_bound"]
    assert found.reason is None or "calibrated" in found.reason, found.reason
    return math.exp(found.value)


def dense(function, *shape):
    """The matrix of a linear function of an input of this shape."""
    zero = torch.zeros(1, *shape, dtype=torch.float64)
    size = zero.numel()
    return jacrev(lambda x: function(x).flatten())(zero).reshape(-1, size)


def top(matrix):
    return float(np.linalg.svd(matrix.detach().numpy(), compute_uv=False)[0])


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": 3, "padding": 1, "stride": 2},
        {"kernel_size": 3, "padding": 2, "dilation": 2},
        {"kernel_size": (1, 3), "groups": 2},
        {"kernel_size": 1},
    ],
)
def test_a_convolutions_norm_bounds_its_dense_matrix_tightly(options):
    torch.manual_seed(0)
    layer = nn.Conv2d(4, 6, bias=False, **options).double()
    exact = top(dense(layer, 4, 8, 8))
    found = convolution_norm(layer.weight, (8, 8), layer.dilation, layer.groups)
    loose = 1.6 if "stride" in options else 1.2  # what strides and the border leave out
    assert exact * (1 - 1e-12) <= found <= loose * exact
    turned = nn.ConvTranspose2d(6, 4, bias=False, **options).double()
    output = turned(torch.zeros(1, 6, 8, 8).double()).shape[2:]
    found = convolution_norm(turned.weight, output, turned.dilation, turned.groups, True)
    assert top(dense(turned, 6, 8, 8)) * (1 - 1e-12) <= found


def test_a_convolution_without_reach_and_a_matrix_are_exact():
    torch.manual_seed(0)
    point = nn.Conv2d(3, 5, 1)
    network = nn.Sequential(point, nn.ReLU(), nn.Flatten(), nn.Linear(320, 3))
    expected = top(point.weight[:, :, 0, 0]) * top(network[3].weight)
    assert bound(network) == pytest.approx(expected, rel=1e-6)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.inner, self.outer = nn.Conv2d(3, 3, 1), nn.Linear(192, 4)
        self.norm = nn.BatchNorm2d(3)
        self.norm.running_var.copy_(torch.tensor([1.0, 4.0, 0.25]))
        self.norm.weight.data = torch.tensor([1.0, -3.0, 0.2])
        self.eval()

    def forward(self, x):
        return self.outer((x + 2 * self.norm(self.inner(x))).flatten(1))


def test_paths_of_a_sum_add_up_and_a_batch_norm_scales():
    network = Residual()
    scale = max(1 / (1 + 1e-5) ** 0.5, 3 / (4 + 1e-5) ** 0.5, 0.2 / (0.25 + 1e-5) ** 0.5)
    inner = top(network.inner.weight[:, :, 0, 0]) * scale
    expected = (1 + 2 * inner) * top(network.outer.weight)
    assert bound(network) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("layer", "exact"),
    [
        (nn.AvgPool2d(2), 0.5),
        (nn.AdaptiveAvgPool2d(1), 1 / 8),
        (nn.MaxPool2d(2), 1.0),
        (nn.MaxPool2d(3, 2), 2.0),
        (nn.SELU(), 1.7580993),
        (nn.Sigmoid(), 0.25),
        (nn.Upsample(scale_factor=1), None),
        (nn.LeakyReLU(3.0), 3.0),
    ],
)
def test_layers_without_weights(layer, exact):
    torch.manual_seed(0)
    flat = nn.Sequential(layer, nn.Flatten())
    if exact is None:
        found = proxies.score(flat, torch.rand(2, 3, 8, 8), None, "norm_bound")["norm_bound"]
        assert "upsample" in found.reason
    else:
        assert bound(flat) == pytest.approx(exact, rel=1e-6)


def test_a_pooling_that_leaves_its_border_out_is_bounded():
    pooling = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    exact = top(dense(pooling, 1, 8, 8))
    assert exact <= bound(nn.Sequential(pooling, nn.Flatten()), channels=1) <= 1.15 * exact


def test_writing_into_parts_of_memory_keeps_what_was_there():
    exact = math.sqrt(top(dense(Written(torch.relu).double().conv, 3, 8, 8)) ** 2)
    network = Written(torch.relu)
    found = bound(network)
    outer = top(network.head.weight) / 8  # the mean over 64 positions
    assert found >= exact * outer * (1 - 1e-9)
    assert found <= 1.2 * math.sqrt(2) * exact * outer


def test_it_bounds_the_jacobian_of_a_cell_network():
    images, _ = batch(4)
    network = cell_network()
    found = proxies.score(network, images, None, ["norm_bound", "jacobian_norm"])
    # ‖J‖_F ≤ √K ‖J‖₂
    assert math.exp(found["norm_bound"].value) > found["jacobian_norm"].value / math.sqrt(3)
    assert math.isfinite(proxies.score(cnn(), images, None, "norm_bound")["norm_bound"].value)
    assert math.isfinite(proxies.score(Taps(), images, None, "norm_bound")["norm_bound"].value)


def test_what_has_no_constant_is_named():
    for network, word in ((ViT().eval(), "bmm of two features"), (Squared(), "pow")):
        found = proxies.score(network, torch.rand(2, 3, 16, 16), None, "norm_bound")["norm_bound"]
        assert math.isnan(found.value)
        assert word in found.reason
        assert not found.failed


class Squared(nn.Module):
    def forward(self, x):
        return (x**2).flatten(1)[:, :3]
