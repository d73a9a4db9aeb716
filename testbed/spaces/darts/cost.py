"""Parameters and FLOPs of a genotype's network, in closed form.

FLOPs are multiply-accumulates of convolutions and of the linear layer for one image; pooling,
batch norm and additions are not counted.
"""

from collections.abc import Iterator
from typing import NamedTuple

from testbed.basis.errors import InputError
from testbed.basis.foreign_text import described
from testbed.spaces.darts.genotype import INPUTS, NODES, Genotype
from testbed.spaces.darts.sizes import reductions

__all__ = ["flops", "parameters"]


class _Part(NamedTuple):
    """Convolutions that give one size of image: weights, channels of batch norms, that size."""

    weights: int
    normed: int
    size: int


def parameters(
    genotype: Genotype,
    width: int = 16,
    depth: int = 8,
    classes: int = 10,
    in_channels: int = 3,
    *,
    auxiliary: bool = False,
) -> int:
    """Return the number of trainable parameters.

    Args:
        genotype: the two cells.
        width: C, the channels of a node of the first cells.
        depth: the number of cells.
        classes: the number of logits.
        in_channels: the number of channels of the images.
        auxiliary: whether the network has the auxiliary head.
    """
    total = sum(
        part.weights + 2 * part.normed for part in _parts(genotype, width, depth, in_channels, 32)
    )
    total += classes * (NODES * _last_width(width, depth) + 1)
    if auxiliary:  # 1×1 and 2×2 convolutions with batch norms, then a linear layer
        # At two thirds of the depth all reductions are behind, the head's cell among them.
        features = NODES * _last_width(width, depth)
        total += 128 * features + 2 * 128 + 128 * 768 * 4 + 2 * 768 + classes * (768 + 1)
    return total


def flops(
    genotype: Genotype,
    width: int = 16,
    depth: int = 8,
    classes: int = 10,
    in_channels: int = 3,
    size: int = 32,
) -> int:
    """Return the number of multiply-accumulates for one image, without the auxiliary head.

    Args:
        genotype: the two cells.
        width: C, the channels of a node of the first cells.
        depth: the number of cells.
        classes: the number of logits.
        in_channels: the number of channels of the images.
        size: the height and the width of the image in pixels, a multiple of 4.

    Raises:
        InputError: if the size is no such number.
    """
    if type(size) is not int or size < 4 or size % 4:
        raise InputError(f"expected images of 4, 8, 12, … pixels; got {described(size)}")
    total = sum(
        part.weights * part.size**2 for part in _parts(genotype, width, depth, in_channels, size)
    )
    # As for NAS-Bench-201, whose published counts have the classifier's biases in them.
    return total + classes * (NODES * _last_width(width, depth) + 1)


def _last_width(width: int, depth: int) -> int:
    return width << len(reductions(depth))


def _parts(
    genotype: Genotype, width: int, depth: int, in_channels: int, size: int
) -> Iterator[_Part]:
    """Yield the stem's and all cells' convolutions."""
    older = newer = 3 * width  # channels of a cell's two inputs
    yield _Part(9 * in_channels * newer, newer, size)
    for number in range(depth):
        reduction = number in reductions(depth)
        width <<= reduction
        # After a reduction the older input is halved by two convolutions to half the channels
        # each: they have as many weights as the one that takes their place elsewhere.
        yield _Part((older + newer) * width, 2 * width, size)
        size >>= reduction
        for operation, source in genotype.reduce if reduction else genotype.normal:
            weights, normed = _edge(operation, width, strided=reduction and source < INPUTS)
            yield _Part(weights, normed, size)
        older, newer = newer, NODES * width


def _edge(operation: str, width: int, *, strided: bool) -> tuple[int, int]:
    """Return the weights of an edge's convolutions, and the channels of its batch norms."""
    if operation == "skip_connect":
        return (width**2, width) if strided else (0, 0)
    if "conv" not in operation:
        return 0, 0
    depthwise_then_pointwise = int(operation[-1]) ** 2 * width + width**2
    times = 2 if operation.startswith("sep") else 1
    return times * depthwise_then_pointwise, times * width
