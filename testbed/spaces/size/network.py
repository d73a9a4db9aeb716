"""A genotype as a network: the CIFAR macro-architecture of NATS-Bench's size space.

A 3×3 stem, then a cell, a residual block of stride 2, a cell, another such block and a cell, then
BN, ReLU, global average pooling and a linear classifier. Parameter names are those of the
official class, so that its weights load strictly.

Dong et al., "NATS-Bench", IEEE TPAMI 2021, section 3.
"""

from torch import Tensor, nn

from testbed.spaces.nasbench201.network import Backbone, Reduction, ReLUConvBN
from testbed.spaces.size.genotype import Genotype
from testbed.spaces.sizes import MOST_CLASSES, check_counts

__all__ = ["CELL", "MOST_CHANNELS", "MOST_CLASSES", "Network"]

# The cell of the best validation accuracy on CIFAR-100 in the topology space: the same for all.
CELL = (
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|"
    "+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
)
MOST_CHANNELS = 1024


class Network(Backbone):
    """The network of a genotype, from images (B, in_channels, H, W) to logits (B, classes).

    Args:
        genotype: the five widths.
        classes: the number of logits.
        in_channels: 3 for colour images, 1 for grey ones.

    Raises:
        InputError: if there is a number of classes or channels that no network has.
    """

    def __init__(self, genotype: Genotype, classes: int = 10, in_channels: int = 3) -> None:
        super().__init__()
        check_counts(
            ("classes", classes, MOST_CLASSES),
            ("channels of the images", in_channels, MOST_CHANNELS),
        )
        self.genotype = genotype
        self.classes, self.in_channels = classes, in_channels
        before = genotype.widths[0]
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, before, 3, padding=1, bias=False), nn.BatchNorm2d(before)
        )
        blocks: list[nn.Module] = []
        for number, width in enumerate(genotype.widths):
            blocks.append(Reduction(before, width) if number % 2 else Cell(before, width))
            before = width
        self.cells = nn.ModuleList(blocks)
        self.lastact = nn.Sequential(nn.BatchNorm2d(before), nn.ReLU())
        self.classifier = nn.Linear(before, classes)


class Cell(nn.Module):
    """The space's one cell, `CELL`, from (B, C, H, W) to (B, C', H, W).

    The edges that leave the input change the number of channels; the skip connection among them
    does so by a 1×1 convolution where C and C' differ.
    """

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        same = channels == out_channels
        self.layers = nn.ModuleList(
            (
                ReLUConvBN(channels, out_channels, 3),
                ReLUConvBN(channels, out_channels, 3),
                ReLUConvBN(out_channels, out_channels, 3),
                nn.Identity() if same else Projection(channels, out_channels),
                ReLUConvBN(out_channels, out_channels, 3),
                ReLUConvBN(out_channels, out_channels, 3),
            )
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return the value of the last node."""
        one = self.layers[0](features)
        two = self.layers[1](features) + self.layers[2](one)
        return self.layers[3](features) + self.layers[4](one) + self.layers[5](two)


class Projection(nn.Module):
    """A 1×1 convolution without bias, then batch norm; there is no ReLU in front."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out_channels, 1, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(self, features: Tensor) -> Tensor:
        """Return the normalised convolution of the features."""
        return self.bn(self.conv(features))
