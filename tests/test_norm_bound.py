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
        (nn.MaxPool2d(3, 2, 1, dilation=2), 3.0),  # in each third window
        (nn.AdaptiveMaxPool2d(9), 2.0),  # as many pixels as it has, and one more
        (nn.AdaptiveMaxPool2d((24, 1)), math.sqrt(3)),
        (nn.CELU(2.0), 1.0),
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


@pytest.mark.parametrize(
    ("gate", "exact"),
    [
        (lambda x: x * (x > 0), 1.0),
        (lambda x: x * ~(x <= 0), 1.0),
        (lambda x: x * (x > 0).to(x.dtype), 1.0),
        (lambda x: (x, (x > 0.5).any())[0], 1.0),
        (lambda x: x * (x > 0.5), None),
        (lambda x: x * (x.flip(1) > 0), None),
        (lambda x: x + (x > 0), None),
        (lambda x: (x > 0.5).to(x.dtype), None),
        (lambda x: torch.eye(4)[x.argmax(1)], None),
    ],
)
def test_what_jumps_has_no_bound_and_a_relu_by_hand_does_not_jump(gate, exact):
    class Gated(nn.Module):
        def forward(self, x):
            return gate(x).flatten(1)

    if exact is not None:
        assert bound(Gated()) == pytest.approx(exact, rel=1e-6)
    else:
        images = torch.rand(2, 3, 8, 8)
        found = proxies.score(Gated(), images, None, "norm_bound")["norm_bound"]
        assert "comparison" in found.reason


@pytest.mark.parametrize(
    ("size", "stride", "dilation"), [(5, 1, 2), (9, 3, 2), (8, 4, 2), (7, 2, 3)]
)
def test_windows_that_a_pixel_is_in_are_counted(size, stride, dilation):
    pooling = nn.Sequential(nn.MaxPool2d(3, stride, 1, dilation), nn.Flatten())
    tops = []
    for pixel in range(size * size):  # a pixel above all others is the maximum of its windows
        image = torch.zeros(1, 1, size, size)
        image.view(-1)[pixel] = 1
        tops.append(float(pooling(image).sum()) ** 0.5)
    found = proxies.score(pooling, torch.rand(2, 1, size, size), None, "norm_bound")["norm_bound"]
    assert math.exp(found.value) >= max(tops) * (1 - 1e-6)
