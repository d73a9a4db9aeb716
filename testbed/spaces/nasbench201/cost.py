"""Parameters and FLOPs of a genotype's network, in closed form.

Both count every edge of the string, dead ones included, as the published
archives do. FLOPs are multiply-accumulates of convolutions and of the linear
layer for one image; pooling, batch norm and additions are not counted.
"""

from testbed.spaces.nasbench201.genotype import Genotype

__all__ = ["flops", "parameters"]


def parameters(
    genotype: Genotype, channels: int = 16, cells: int = 5, classes: int = 10, in_channels: int = 3
) -> int:
    """Return the number of trainable parameters.

    Args:
        genotype: the cell.
        channels: C, the width of the first stage.
        cells: N, the number of cells in a stage.
        classes: the number of logits.
        in_channels: the number of channels of the images.
    """
    kernels = _kernel_areas(genotype)
    total = 9 * in_channels * channels + 2 * channels
    for stage in range(3):
        width = channels << stage
        if stage:
            half = width // 2
            total += 9 * half * width + 9 * width**2 + half * width + 4 * width
        total += cells * sum(area * width**2 + 2 * width for area in kernels)
    return total + 2 * 4 * channels + classes * (4 * channels + 1)


def flops(
    genotype: Genotype,
    channels: int = 16,
    cells: int = 5,
    classes: int = 10,
    in_channels: int = 3,
    size: int = 32,
) -> int:
    """Return the number of multiply-accumulates for one image.

    Args:
        genotype: the cell.
        channels: C, the width of the first stage.
        cells: N, the number of cells in a stage.
        classes: the number of logits.
        in_channels: the number of channels of the images.
        size: the height and the width of the image, in pixels.
    """
    kernels = _kernel_areas(genotype)
    total = 9 * in_channels * channels * size**2
    for stage in range(3):
        width, half = channels << stage, channels << stage >> 1
        if stage:
            # A strided 3×3 convolution rounds the size up, the shortcut's pooling down.
            shortcut, size = size // 2, (size + 1) // 2
            total += (9 * half * width + 9 * width**2) * size**2 + half * width * shortcut**2
        total += cells * sum(kernels) * width**2 * size**2
    return total + classes * (4 * channels + 1)


def _kernel_areas(genotype: Genotype) -> list[int]:
    return [int(name[-1]) ** 2 for name in genotype.operations if name.startswith("nor_conv")]
