"""A genotype as a network: a WideResNet with activation in front, for images of CIFAR's size.

A 3×3 stem of 16 channels, three stages of residual blocks, the later two with stride 2 at their
first, then BN, ReLU, global average pooling and a linear classifier. Parameter names are those of
the authors' class, so that their weights load strictly.

Zagoruyko and Komodakis, "Wide Residual Networks", BMVC 2016.
"""

from torch import Tensor, nn

from testbed.spaces.nares.genotype import STEM, Genotype

__all__ = ["Network"]


class Network(nn.Module):
    """The network of a genotype, from images (B, in_channels, H, W) to logits (B, classes)."""

    def __init__(self, genotype: Genotype, classes: int = 10, in_channels: int = 3) -> None:
        super().__init__()
        self.stem_conv = nn.Conv2d(in_channels, STEM, 3, padding=1, bias=False)
        self.blocks = nn.ModuleList()
        before = STEM
        for stage, (depth, width) in enumerate(
            zip(genotype.depths, genotype.channels, strict=True)
        ):
            self.blocks.append(Stage(before, width, depth, 2 if stage else 1))
            before = width
        self.norm1 = nn.BatchNorm2d(before)
        self.act1 = nn.ReLU()
        self.global_pooling = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(before, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        features = self.stem_conv(images)
        for stage in self.blocks:
            features = stage(features)
        return self.fc(self.global_pooling(self.act1(self.norm1(features))).flatten(1))


class Stage(nn.Module):
    """Residual blocks of one width; the first changes channels and resolution."""

    def __init__(self, before: int, width: int, depth: int, stride: int) -> None:
        super().__init__()
        self.layer = nn.Sequential(
            Block(before, width, stride), *(Block(width, width, 1) for _ in range(depth - 1))
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return the features of the last block."""
        return self.layer(features)


class Block(nn.Module):
    """BN, ReLU, 3×3 convolution, twice, added to the input or to a 1×1 convolution of it."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(before)
        self.conv1 = nn.Conv2d(before, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.act = nn.ReLU()
        if stride != 1 or before != width:
            self.shortcut = nn.Sequential(nn.Conv2d(before, width, 1, stride, bias=False))

    def forward(self, features: Tensor) -> Tensor:
        """Return the sum of both branches; a projected shortcut starts behind the first ReLU."""
        active = self.act(self.bn1(features))
        short = self.shortcut(active) if hasattr(self, "shortcut") else features
        return self.conv2(self.act(self.bn2(self.conv1(active)))) + short
