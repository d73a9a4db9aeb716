"""Parameters and FLOPs of a network of the size space, in closed form.

FLOPs are multiply-accumulates of convolutions and of the linear layer (its biases among them, as
in the published archives) for one image; pooling, batch norm and additions are not counted.
"""

from testbed.basis.errors import InputError
from testbed.basis.foreign_text import described
from testbed.spaces.size.genotype import Genotype

__all__ = ["flops", "parameters"]


def parameters(genotype: Genotype, classes: int = 10, in_channels: int = 3) -> int:
    """Return the number of trainable parameters.

    Args:
        genotype: the five widths.
        classes: the number of logits.
        in_channels: the number of channels of the images.
    """
    before = genotype.widths[0]
    total = 9 * in_channels * before + 2 * before
    for number, width in enumerate(genotype.widths):
        norms = 2 if number % 2 else 5 + (before != width)
        total += sum(_weights(number, before, width)) + 2 * width * norms
        before = width
    return total + 2 * before + classes * (before + 1)


def flops(genotype: Genotype, classes: int = 10, in_channels: int = 3, size: int = 32) -> int:
    """Return the number of multiply-accumulates for one image.

    Args:
        genotype: the five widths.
        classes: the number of logits.
        in_channels: the number of channels of the images.
        size: the height and the width of the image in pixels, a multiple of 4.

    Raises:
        InputError: if the size is no such number.
    """
    if type(size) is not int or size < 4 or size % 4:
        raise InputError(f"expected images of 4, 8, 12, … pixels; got {described(size)}")
    before = genotype.widths[0]
    total = 9 * in_channels * before * size**2
    for number, width in enumerate(genotype.widths):
        size >>= number % 2
        total += sum(_weights(number, before, width)) * size**2
        before = width
    return total + classes * (before + 1)


def _weights(number: int, before: int, width: int) -> tuple[int, int, int]:
    """Return the weights of a block's convolutions: 3×3 from its input, 3×3 within, 1×1."""
    if number % 2:
        return 9 * before * width, 9 * width**2, before * width
    return 2 * 9 * before * width, 3 * 9 * width**2, before * width * (before != width)
