"""A genotype as a network: the CIFAR macro-architecture of NAS-Bench-201.

A 3×3 stem, three stages of N cells with a residual block of stride 2 between
them, then BN, ReLU, global average pooling and a linear classifier. Parameter
names are those of the official archives, so their weights load strictly.

Dong and Yang, "NAS-Bench-201", ICLR 2020, section 2.1.
"""

from torch import Tensor, nn

from testbed.basis.errors import InputError
from testbed.spaces.design import Design
from testbed.spaces.nasbench201.genotype import EDGES, NODES, Genotype
from testbed.spaces.nasbench201.sizes import check_size

__all__ = ["Network"]


class Backbone(nn.Module):
    """Stem, blocks, BN and ReLU, pooling, classifier: how networks of NATS-Bench's spaces run.

    A subclass makes the parts, whose names are those of the official classes.
    """

    stem: nn.Module
    cells: nn.ModuleList
    lastact: nn.Module
    classifier: nn.Module

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, (B, classes), of images (B, in_channels, H, W).

        Raises:
            InputError: if H or W is not a multiple of 4: two reductions halve them.
        """
        if images.shape[-1] % 4 or images.shape[-2] % 4:
            raise InputError(
                f"the height and width of images are multiples of 4; got {tuple(images.shape)}"
            )
        features = self.stem(images)
        for block in self.cells:
            features = block(features)
        return self.classifier(self.lastact(features).mean((2, 3)))


class Network(Backbone):
    """The network of a genotype, from images (B, in_channels, H, W) to logits (B, classes).

    Args:
        genotype: the cell, repeated in every stage.
        channels: C, the width of the first stage, which is doubled at each reduction.
        cells: N, the number of cells in a stage.
        classes: the number of logits.
        in_channels: 3 for colour images, 1 for grey ones.

    Raises:
        InputError: if `testbed.spaces.nasbench201.sizes.check_size` refuses the size.
    """

    def __init__(
        self,
        genotype: Genotype,
        channels: int = 16,
        cells: int = 5,
        classes: int = 10,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        check_size(channels, cells, classes, in_channels)
        self.genotype = genotype
        sizes = {"channels": channels, "cells": cells}
        arguments = {**sizes, "classes": classes, "in_channels": in_channels}
        self.design = Design("nasbench201", genotype, arguments)
        self.channels, self.stage_cells, self.classes = channels, cells, classes
        self.in_channels = in_channels
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        )
        blocks: list[nn.Module] = []
        for stage in range(3):
            width = channels << stage
            if stage:
                blocks.append(Reduction(width // 2, width))
            blocks += [Cell(genotype, width) for _ in range(cells)]
        self.cells = nn.ModuleList(blocks)
        width = channels * 4
        self.lastact = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU())
        self.classifier = nn.Linear(width, classes)

    def blocks_in_turn(self) -> list[nn.Module]:
        """Return what the features pass through, one after the other, in front of the pooling."""
        return [self.stem, *self.cells]


class Cell(nn.Module):
    """The genotype's cell at one width; it keeps the shape (B, C, H, W).

    Every edge owns its parameters, but only those that can change the output are
    evaluated. A node that the input does not reach is zero, yet a convolution reading
    it still emits its batch norm's bias, so such an edge is kept.
    """

    def __init__(self, genotype: Genotype, channels: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_operation(name, channels) for name in genotype.operations)
        useful = genotype.reaching_output()
        self.incoming = [
            [
                (number, source)
                for number, (source, target) in enumerate(EDGES)
                if target == node and node in useful and genotype.operations[number] != "none"
            ]
            for node in range(1, NODES)
        ]

    def forward(self, features: Tensor) -> Tensor:
        """Return the value of the last node."""
        nodes: list[Tensor | None] = [features]
        for incoming in self.incoming:
            total = None
            for number, source in incoming:
                term = self._edge(number, nodes[source], features)
                if term is not None:
                    total = term if total is None else total + term
            nodes.append(total)
        output = nodes[-1]
        return features * 0.0 if output is None else output

    def _edge(self, number: int, source: Tensor | None, features: Tensor) -> Tensor | None:
        layer = self.layers[number]
        if source is not None:
            return layer(source)
        # Not zeros_like, so that what is constant stays a function of the input.
        return layer(features * 0.0) if isinstance(layer, ReLUConvBN) else None


class Reduction(nn.Module):
    """A residual block that halves the resolution, from (B, C, H, W) to (B, C', H/2, W/2)."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv_a = ReLUConvBN(channels, out_channels, 3, stride=2)
        self.conv_b = ReLUConvBN(out_channels, out_channels, 3)
        self.downsample = nn.Sequential(
            nn.AvgPool2d(2), nn.Conv2d(channels, out_channels, 1, bias=False)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return the sum of the shortcut and of two convolutions."""
        return self.downsample(features) + self.conv_b(self.conv_a(features))


class ReLUConvBN(nn.Module):
    """ReLU, convolution without bias, batch norm, in this order."""

    def __init__(self, channels: int, out_channels: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.op = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(channels, out_channels, kernel, stride, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(out_channels),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return the normalised convolution of the rectified features."""
        return self.op(features)


class AveragePool(nn.Module):
    """The mean of 3×3 pixels, of which those outside the image are not counted."""

    def __init__(self) -> None:
        super().__init__()
        self.op = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)

    def forward(self, features: Tensor) -> Tensor:
        """Return the local means, of the same shape."""
        return self.op(features)


def _operation(name: str, channels: int) -> nn.Module:
    if name.startswith("nor_conv"):
        return ReLUConvBN(channels, channels, int(name[-1]))
    # An edge of "none" is never evaluated; its place keeps the archives' numbering.
    return AveragePool() if name == "avg_pool_3x3" else nn.Identity()
