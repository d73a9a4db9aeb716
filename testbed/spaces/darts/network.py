"""A genotype as a network for CIFAR: a stem, cells of two kinds, a linear classifier.

Every cell reads the outputs of the two before it. The cells at a third and at two thirds of the
depth are reduction cells: they halve the resolution and double the channels. Parameter names
and their order are those of the authors' class, so that its weights load strictly, if the
genotype has its edges in the order that it was trained with (see `testbed.spaces.darts.states`).

Liu, Simonyan and Yang, "DARTS: Differentiable Architecture Search", ICLR 2019.
"""

import torch
from torch import Tensor, nn

from testbed.basis.errors import InputError
from testbed.basis.foreign_text import described
from testbed.spaces.darts.genotype import CONCAT, INPUTS, NODES, Genotype
from testbed.spaces.darts.operations import FactorizedReduce, ReLUConvBN, operation
from testbed.spaces.darts.sizes import check_size, reductions

__all__ = ["Network"]


class Network(nn.Module):
    """The network of a genotype, from images (B, in_channels, H, W) to logits (B, classes).

    Args:
        genotype: the two cells.
        width: C, the channels of a node of the first cells; the stem has 3C.
        depth: the number of cells.
        classes: the number of logits.
        in_channels: 3 for colour images, 1 for grey ones.
        auxiliary: whether there is a second classifier after two thirds of the cells, which
            `with_auxiliary` evaluates; it helps training and does not enter the logits. It needs
            a depth of at least 4.
        drop_path: the probability with which, in train mode only, an image's value on an edge
            is dropped; it can be set anew at any time. Edges of ``skip_connect`` that only pass
            on are never dropped.

    Raises:
        InputError: if `testbed.spaces.darts.sizes.check_size` refuses the size, a
            network of less than four cells is to have the head, or the probability is not in
            [0, 1).
    """

    def __init__(
        self,
        genotype: Genotype,
        width: int = 16,
        depth: int = 8,
        classes: int = 10,
        in_channels: int = 3,
        *,
        auxiliary: bool = False,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        check_size(width, depth, classes, in_channels)
        if auxiliary and depth < 4:  # it would stand at the end, or where no second reduction is
            raise InputError(f"the auxiliary head needs a depth of 4 or more; got {depth}")
        self.genotype = genotype
        self.width, self.depth, self.classes = width, depth, classes
        self.in_channels = in_channels
        self.drop_path = drop_path
        stem = 3 * width
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, stem, 3, padding=1, bias=False), nn.BatchNorm2d(stem)
        )
        cells: list[nn.Module] = []
        older = newer = stem
        after_reduction = False
        for number in range(depth):
            reduction = number in reductions(depth)
            width = width * 2 if reduction else width
            cells.append(Cell(genotype, (older, newer), width, reduction, after_reduction))
            older, newer, after_reduction = newer, NODES * width, reduction
        self.cells = nn.ModuleList(cells)
        self.auxiliary_head = AuxiliaryHead(newer, classes) if auxiliary else None
        self.classifier = nn.Linear(newer, classes)

    @property
    def drop_path(self) -> float:
        """Return the probability with which an edge is dropped in train mode."""
        return self._drop_path

    @drop_path.setter
    def drop_path(self, value: float) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
            raise InputError(f"expected drop_path, a probability in [0, 1); got {described(value)}")
        self._drop_path = float(value)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, (B, classes), of images (B, in_channels, H, W).

        Raises:
            InputError: if H or W is not a multiple of 4: two reductions halve them.
        """
        return self._logits(self._features(images)[0])

    def with_auxiliary(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits and those of the auxiliary head, both (B, classes).

        Raises:
            InputError: if the network has no such head, or the images are not of 32 × 32 pixels,
                which it is made for.
        """
        if self.auxiliary_head is None:
            raise InputError("the network has no auxiliary head: make it with auxiliary=True")
        if images.shape[-2:] != (32, 32):
            raise InputError(
                f"the auxiliary head is for images of 32 × 32 pixels; got {tuple(images.shape)}"
            )
        features, inner = self._features(images)
        return self._logits(features), self.auxiliary_head(inner)

    def _features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the last cell gives, and the second reduction cell."""
        if images.shape[-1] % 4 or images.shape[-2] % 4:
            raise InputError(
                f"the height and width of images are multiples of 4; got {tuple(images.shape)}"
            )
        older = newer = inner = self.stem(images)
        for number, cell in enumerate(self.cells):
            older, newer = newer, cell(older, newer, self.drop_path)
            if number == max(reductions(self.depth)):
                inner = newer
        return newer, inner

    def _logits(self, features: Tensor) -> Tensor:
        return self.classifier(features.mean((2, 3)))


class Cell(nn.Module):
    """One cell, from the outputs of the two before it to (B, 4 · channels, H, W).

    Args:
        genotype: the two cells, of which ``reduction`` takes the second.
        inputs: the channels of the two inputs, the older one first.
        channels: the channels of each node.
        reduction: whether the operations on the inputs halve the resolution.
        after_reduction: whether the cell before does, so that the older input is twice as large.
    """

    def __init__(
        self,
        genotype: Genotype,
        inputs: tuple[int, int],
        channels: int,
        reduction: bool,
        after_reduction: bool,
    ) -> None:
        super().__init__()
        halving = FactorizedReduce(inputs[0], channels) if after_reduction else None
        self.preprocess0 = halving or ReLUConvBN(inputs[0], channels)
        self.preprocess1 = ReLUConvBN(inputs[1], channels)
        self.edges = genotype.reduce if reduction else genotype.normal
        # The name under which the authors' weights are stored.
        self._ops = nn.ModuleList(
            operation(name, channels, 2 if reduction and source < INPUTS else 1)
            for name, source in self.edges
        )

    def forward(self, older: Tensor, newer: Tensor, drop_path: float = 0.0) -> Tensor:
        """Return the four nodes, concatenated."""
        nodes = [self.preprocess0(older), self.preprocess1(newer)]
        drop_path = drop_path if self.training else 0.0
        for node in range(NODES):
            one, other = (self._edge(2 * node + side, nodes, drop_path) for side in range(2))
            nodes.append(one + other)
        return torch.cat([nodes[node] for node in CONCAT], dim=1)

    def _edge(self, number: int, nodes: list[Tensor], drop_path: float) -> Tensor:
        layer = self._ops[number]
        value = layer(nodes[self.edges[number][1]])
        if not drop_path or isinstance(layer, nn.Identity):
            return value
        kept = value.new_empty((len(value), 1, 1, 1)).bernoulli_(1 - drop_path)
        return value * kept / (1 - drop_path)


class AuxiliaryHead(nn.Module):
    """A classifier of inner features, from (B, C, 8, 8) to logits (B, classes)."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.ReLU(),
            nn.AvgPool2d(5, stride=3, count_include_pad=False),
            nn.Conv2d(channels, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Conv2d(128, 768, 2, bias=False),
            nn.BatchNorm2d(768),
            nn.ReLU(),
        )
        self.classifier = nn.Linear(768, classes)

    def forward(self, features: Tensor) -> Tensor:
        """Return the logits."""
        return self.classifier(self.features(features).flatten(1))
