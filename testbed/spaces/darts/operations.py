"""The eight operations, and what fits a cell's inputs to it. All keep the number of channels."""

import torch
from torch import Tensor, nn

__all__ = ["FactorizedReduce", "ReLUConvBN", "Zero", "operation"]


def operation(name: str, channels: int, stride: int) -> nn.Module:
    """Return an operation from (B, channels, H, W) to (B, channels, H/stride, W/stride).

    Args:
        name: one of `testbed.spaces.darts.genotype.OPERATIONS`.
        channels: the number of channels.
        stride: 1 or 2.
    """
    if name == "none":
        return Zero(stride)
    if name == "skip_connect":
        return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels)
    if name == "max_pool_3x3":
        return nn.MaxPool2d(3, stride, padding=1)
    if name == "avg_pool_3x3":
        return nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)
    kernel = int(name[-1])
    if name.startswith("sep"):
        return SeparableConv(channels, kernel, stride)
    return DilatedConv(channels, kernel, stride)


class ReLUConvBN(nn.Module):
    """ReLU, 1×1 convolution without bias, batch norm, in this order."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.op = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(channels, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return the normalised convolution of the rectified features."""
        return self.op(features)


class SeparableConv(nn.Module):
    """ReLU, depthwise and 1×1 convolution, batch norm: all of it twice, strided once."""

    def __init__(self, channels: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.op = nn.Sequential(
            *_separable(channels, kernel, stride), *_separable(channels, kernel, 1)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return the features after both rounds."""
        return self.op(features)


class DilatedConv(nn.Module):
    """ReLU, depthwise convolution of every other pixel, 1×1 convolution, batch norm."""

    def __init__(self, channels: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.op = nn.Sequential(*_separable(channels, kernel, stride, dilation=2))

    def forward(self, features: Tensor) -> Tensor:
        """Return the normalised convolution of the rectified features."""
        return self.op(features)


class FactorizedReduce(nn.Module):
    """ReLU, then half the channels from even pixels, half from odd ones, then batch norm.

    The resolution, which is even, is halved; the number of output channels is even.
    """

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.conv_1 = nn.Conv2d(channels, out_channels // 2, 1, stride=2, bias=False)
        self.conv_2 = nn.Conv2d(channels, out_channels // 2, 1, stride=2, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(self, features: Tensor) -> Tensor:
        """Return the features at half the resolution."""
        features = self.relu(features)
        halves = [self.conv_1(features), self.conv_2(features[:, :, 1:, 1:])]
        return self.bn(torch.cat(halves, dim=1))


class Zero(nn.Module):
    """Zero of the shape that the stride leaves, which stays a function of the input."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, features: Tensor) -> Tensor:
        """Return zeros."""
        return features[:, :, :: self.stride, :: self.stride] * 0.0


def _separable(channels: int, kernel: int, stride: int, dilation: int = 1) -> list[nn.Module]:
    padding = dilation * (kernel // 2)
    return [
        nn.ReLU(),
        nn.Conv2d(
            channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False
        ),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
    ]
