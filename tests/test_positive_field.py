"""The receptive field with positive kernels, against kernels that are known."""

import math

import numpy as np
import pytest
import torch
from torch import nn

import proxies
from tests.any_modules import ViT


def field(*layers, size=16, pooled=True):
    torch.manual_seed(0)
    end = [nn.AdaptiveAvgPool2d(1), nn.Flatten()] if pooled else [nn.Flatten()]
    network = nn.Sequential(*[layer() for layer in layers], *end)
    names = ["positive_receptive_field", "positive_leak"]
    found = proxies.score(network, torch.rand(2, 3, size, size), None, names)
    return [found[name] for name in names]


def conv(k=3, inputs=3, outputs=5, **options):
    return lambda: nn.Conv2d(inputs, outputs, k, padding=k // 2, **options)


def kernel(*layers):
    """The product of the layers' mean kernels, by adding up paths over channels and offsets."""
    torch.manual_seed(0)
    maps = None
    for layer in (layer() for layer in layers):
        weight = layer.weight.detach().double().abs().numpy()
        weight /= weight.sum() / len(weight)
        ahead = np.zeros((len(weight), *([3] if maps is None else [maps.shape[1]]), 16, 16))
        reach = weight.shape[-1] // 2
        for (o, i, a, b), w in np.ndenumerate(weight):
            if maps is None:
                ahead[o, i, (8 + a - reach) % 16, (8 + b - reach) % 16] += w
            else:
                ahead[o] += w * np.roll(maps[i], (a - reach, b - reach), (1, 2))
        maps = ahead
    return maps.sum((0, 1))


def test_a_field_is_the_product_of_the_layers_kernels():
    layers = conv(), conv(5, 5, 4), conv(3, 4, 2)
    r = kernel(*layers)
    size, leak = field(*layers, nn.ReLU)
    assert size.value == pytest.approx(r.sum() ** 2 / (r**2).sum(), rel=1e-12)
    energy = np.abs(np.fft.fft2(r)) ** 2
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(16), np.fft.fftfreq(16)))
    assert leak.value == pytest.approx(energy[frequency > 0.3].sum() / energy[0, 0], rel=1e-12)


def test_a_pooling_averages_nine_pixels_and_a_pixel_of_its_own_one():
    pooling = lambda: nn.AvgPool2d(3, 1, 1)  # noqa: E731
    point = conv(1)
    assert field(point, pooling)[0].value == pytest.approx(9)
    size, leak = field(point)
    assert size.value == pytest.approx(1)
    # A point has all frequencies alike: the leak counts those above the cutoff.
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(16), np.fft.fftfreq(16)))
    assert leak.value == pytest.approx((frequency > 0.3).sum())
    # Two poolings: a triangle (1, 2, 3, 2, 1) along each axis.
    assert field(point, pooling, pooling)[0].value == pytest.approx((81 / 19) ** 2)


def test_a_skip_and_a_layer_of_mean_gain_one_weigh_alike():
    class Skip(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, x):
            return x + self.conv(x)

    r = kernel(conv(3, 3, 3))
    assert r.sum() == pytest.approx(3)  # each of three channels averages
    r[8, 8] += 3
    size, leak = field(Skip)
    assert size.value == pytest.approx(36 / (r**2).sum(), rel=1e-12)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(16), np.fft.fftfreq(16)))
    energy = np.abs(np.fft.fft2(r)) ** 2
    assert leak.value == pytest.approx(energy[frequency > 0.3].sum() / 36, rel=1e-12)


def test_normalisations_biases_and_scales_do_not_matter():
    def scaled():
        layer = nn.Conv2d(3, 5, 3, padding=1)
        layer.weight.data.mul_(-8)  # exact
        return layer

    expected = [found.value for found in field(conv(), nn.ReLU)]
    for layers in (
        (conv(), lambda: nn.BatchNorm2d(5), nn.ReLU), (scaled, nn.ReLU),
        (conv(), lambda: nn.GroupNorm(1, 5), nn.ReLU),
    ):  # fmt: skip
        assert [found.value for found in field(*layers)] == pytest.approx(expected, rel=1e-12)


def test_without_an_average_the_last_map_serves_and_without_a_map_there_is_a_reason():
    pooled, flat = (field(conv(), nn.ReLU, pooled=kind)[0].value for kind in (True, False))
    assert pooled == flat
    mlp = nn.Sequential(nn.Flatten(), nn.Linear(768, 3))
    taken = nn.Sequential(nn.Conv2d(3, 9, 16), nn.ReLU(), nn.Flatten(), nn.Linear(9, 3))
    for network in (mlp, taken, ViT()):
        found = proxies.score(network, torch.rand(2, 3, 16, 16), None, "positive_leak")
        assert math.isnan(found["positive_leak"].value)
        assert "feature map with positions" in found["positive_leak"].reason


class Branch(nn.Module):
    """A skip and a branch, so that the gain of the branch shows in the shape of the field."""

    def __init__(self, branch, shapes=()):
        super().__init__()
        self.branch = branch
        torch.manual_seed(0)
        self.matrices = nn.ParameterList(torch.randn(shape) for shape in shapes)

    def forward(self, x):
        return x + self.branch(x, *self.matrices)


def sizes(network, r):
    network = nn.Sequential(network, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    found = proxies.score(network, torch.rand(2, 3, 16, 16), None, "positive_receptive_field")
    return found["positive_receptive_field"].value, r.sum() ** 2 / (r**2).sum()


def test_matrices_of_inputs_times_outputs_have_a_mean_gain_of_one():
    def branch(x, one, two):
        features = (x.permute(0, 2, 3, 1) @ one @ two).permute(0, 3, 1, 2)
        return nn.functional.avg_pool2d(features, 3, 1, 1)

    network = Branch(branch, [(3, 7), (7, 3)])
    one, two = (w.detach().double().abs().numpy() for w in network.matrices)
    r = np.zeros((16, 16))
    r[7:10, 7:10] = (one / one.sum() * 7 @ (two / two.sum() * 3)).sum() / 9
    r[8, 8] += 3
    size, expected = sizes(network, r)
    assert size == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("groups", [1, 3])
def test_a_transposed_convolution_has_a_mean_gain_of_one(groups):
    torch.manual_seed(0)
    up = nn.ConvTranspose2d(3, 6, 2, stride=2, groups=groups)
    down = nn.Conv2d(6, 3, 1)
    network = Branch(lambda x: down(up(nn.functional.avg_pool2d(x, 2))))
    network.up, network.down = up, down
    weight = up.weight.detach().double().abs().numpy()  # (3, 6 / groups, 2, 2)
    weight *= 6 * 4 / weight.sum()
    last = down.weight.detach().double().abs().numpy()[..., 0, 0]
    last *= 3 / last.sum()
    outputs = np.zeros(6)  # of ones, at the first of the four phases
    for group in range(groups):
        inputs = slice(group * 3 // groups, (group + 1) * 3 // groups)
        own = slice(group * 6 // groups, (group + 1) * 6 // groups)
        outputs[own] = weight[inputs, :, 0, 0].sum(0)
    r = np.zeros((16, 16))
    r[8:10, 8:10] = (last @ outputs).sum() / 4
    r[8, 8] += 3
    size, expected = sizes(network, r)
    assert size == pytest.approx(expected, rel=1e-12)
