"""Channels-last convolutions whose weight gradients kill the interpreter or lie."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from testbed.networks import strides
from testbed.networks.strides import safe_strides
from tests.thorough import some

SWEEP = """
import itertools, sys
import torch
from torch import nn
from proxies.hessian_operators import ParameterHessian

torch.set_num_threads(int(sys.argv[1]))
torch.manual_seed(0)
labels = torch.arange(8) % 4

def compare(convolution):
    outputs = convolution.out_channels * 4
    head = nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(outputs, 4)
    network = nn.Sequential(convolution, nn.ReLU(), *head).eval()
    images = torch.rand(8, convolution.in_channels, 16, 16)
    single = ParameterHessian(network, images, labels)
    double = ParameterHessian(network.double(), images.double(), labels)
    vector = torch.randn(single.shape)
    for found, true in ((single(vector), double(vector.double())),
                        (single.gradient, double.gradient)):
        error = float((found - true).norm() / true.norm())
        assert error < 1e-5, (convolution, error)

for kernel, stride, channels in itertools.product((1, 3, 5, 7), (1, 2, 4), (1, 3, 4, 5, 16)):
    compare(nn.Conv2d(channels, 48, kernel, stride, kernel // 2, bias=False))
for kernel, stride, channels in itertools.product((1, 3), (1, 2), (3, 7, 16)):
    compare(nn.Conv2d(channels, channels, kernel, stride, kernel // 2, groups=channels))
for stride in ((1, 2), (2, 1)):
    compare(nn.Conv2d(7, 16, 1, stride))
"""


@pytest.mark.parametrize(
    ("instructions", "threads"), some([("AVX2", 2), ("AVX512_CORE", 2), ("AVX2", 1)], 1)
)
def test_second_derivatives_of_convolutions_are_those_of_float64(instructions, threads):
    environment = os.environ | {"ONEDNN_MAX_CPU_ISA": instructions}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, "-c", SWEEP, str(threads)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize(
    ("channels", "kernel", "stride", "safe"),
    [
        (3, 1, 2, False),
        (3, 1, (1, 2), False),
        (20, 1, 2, False),
        (3, 1, 1, True),
        (3, 3, 2, True),
        (16, 1, 2, True),
    ],
)
def test_pixels_are_skipped_where_a_gradient_would_be_unsafe(
    channels, kernel, stride, safe, monkeypatch
):
    strides_seen = []

    def conv2d(input, weight, bias, stride, *others):
        strides_seen.append(stride)
        return torch.conv2d(input, weight, bias, stride, *others)

    monkeypatch.setattr(strides, "functional", SimpleNamespace(conv2d=conv2d))
    layer = nn.Conv2d(channels, 8, kernel, stride)
    with safe_strides():
        layer(torch.rand(2, channels, 7, 7))
    assert strides_seen == [layer.stride if safe else (1, 1)]


@pytest.mark.parametrize("stride", [1, 2, (1, 3), [2, 1]])
@pytest.mark.parametrize("padding", [0, 1, (1, 0), "valid"])
@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("kernel", [1, (1, 2), 3])
def test_nothing_changes_in_the_function(stride, padding, groups, kernel):
    layer = nn.Conv2d(3, 6, kernel, stride, padding, groups=groups).double()
    images = torch.rand(2, 3, 7, 8, dtype=torch.float64)
    with safe_strides():
        found = layer(images), layer(images[0])
    torch.testing.assert_close(found, (layer(images), layer(images[0])), rtol=1e-12, atol=1e-12)
