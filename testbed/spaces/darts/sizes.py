"""How large a network may be: a number in a file or an option must not take all memory."""

from testbed.basis.errors import InputError
from testbed.spaces.sizes import MOST_CLASSES, MOST_PARAMETERS, check_counts

__all__ = ["MOST_DEPTH", "MOST_PARAMETERS", "MOST_WIDTH", "check_size", "reductions"]

MOST_WIDTH, MOST_DEPTH = 1024, 100


def check_size(width: int, depth: int, classes: int = 10, in_channels: int = 3) -> None:
    """Refuse a network that is too large to be meant, whatever its genotype.

    Args:
        width: C, the channels of a node of the first cells.
        depth: the number of cells.
        classes: the number of logits.
        in_channels: the number of channels of the images.

    Raises:
        InputError: if one is no whole number of at least 1, or too large, or the parameters of
            the largest cells would be more than `MOST_PARAMETERS`.
    """
    check_counts(
        ("channels (the width)", width, MOST_WIDTH),
        ("cells (the depth)", depth, MOST_DEPTH),
        ("classes", classes, MOST_CLASSES),
        ("channels of the images", in_channels, MOST_WIDTH),
    )
    from testbed.spaces.darts.cost import parameters
    from testbed.spaces.darts.genotype import Genotype

    largest = (("sep_conv_5x5", 0), ("sep_conv_5x5", 1)) * 4
    count = parameters(Genotype(largest, largest), width, depth, classes, in_channels)
    if count > MOST_PARAMETERS:
        raise InputError(
            f"a network has at most {MOST_PARAMETERS:,} parameters; got {width} channels and "
            f"{depth} cells, up to {count:,} parameters: take fewer"
        )


def reductions(depth: int) -> frozenset[int]:
    """Return which cells, counted from 0, are reduction cells: at a third and two of the depth."""
    return frozenset((depth // 3, 2 * depth // 3))
