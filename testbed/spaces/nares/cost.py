"""Parameters and multiply-accumulates of a WideResNet of NARes, in closed form."""

from collections.abc import Iterator

from testbed.spaces.nares.genotype import STEM, Genotype

__all__ = ["flops", "parameters"]


def parameters(genotype: Genotype, classes: int = 10, in_channels: int = 3) -> int:
    """Return the number of trainable parameters."""
    total = 9 * in_channels * STEM
    before = STEM
    for _, depth, width in _stages(genotype):
        total += sum(_weights(before, width, depth)) + 2 * (before + (2 * depth - 1) * width)
        before = width
    return total + 2 * before + classes * (before + 1)


def flops(genotype: Genotype, classes: int = 10, in_channels: int = 3, size: int = 32) -> int:
    """Return the multiply-accumulates of the convolutions and of the classifier for one image.

    The classifier's biases are among them, as in the counts of the other spaces.

    Args:
        genotype: the network.
        classes: the number of logits.
        in_channels: the number of channels of the images.
        size: the height and the width of the image in pixels; a stride of 2 rounds up.
    """
    total = 9 * in_channels * STEM * size**2
    before = STEM
    for stage, depth, width in _stages(genotype):
        size = (size + 1) // 2 if stage else size
        total += sum(_weights(before, width, depth)) * size**2
        before = width
    return total + classes * (before + 1)


def _stages(genotype: Genotype) -> Iterator[tuple[int, int, int]]:
    for stage, (depth, width) in enumerate(zip(genotype.depths, genotype.channels, strict=True)):
        yield stage, depth, width


def _weights(before: int, width: int, depth: int) -> tuple[int, int, int]:
    """Return the weights of a stage: 3×3 from its input, 3×3 within, 1×1 of the shortcut.

    Every stage is wider than what is before it, so that each has a shortcut with weights.
    """
    return 9 * before * width, (2 * depth - 1) * 9 * width**2, before * width
