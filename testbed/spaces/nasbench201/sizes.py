"""How large a network may be: a number in a file or an option must not take all memory.

The published networks have C = 16 and N = 5. The bounds leave room for anything that is trained
or scored in earnest, and no more.
"""

from testbed.basis.errors import InputError
from testbed.spaces.nasbench201.names import MOST_CELLS, MOST_CHANNELS
from testbed.spaces.sizes import MOST_CLASSES, MOST_PARAMETERS, check_counts

__all__ = [
    "MOST_CELLS",
    "MOST_CHANNELS",
    "MOST_CLASSES",
    "MOST_PARAMETERS",
    "check_size",
]


def check_size(channels: int, cells: int, classes: int = 10, in_channels: int = 3) -> None:
    """Refuse a network that is too large to be meant, whatever its cell.

    Args:
        channels: C, the width of the first stage.
        cells: N, the number of cells in a stage.
        classes: the number of logits.
        in_channels: the number of channels of the images.

    Raises:
        InputError: if one is no whole number of at least 1, or too large, or the parameters of
            the largest cell would be more than `MOST_PARAMETERS`.
    """
    check_counts(
        ("channels", channels, MOST_CHANNELS),
        ("cells", cells, MOST_CELLS),
        ("classes", classes, MOST_CLASSES),
        ("channels of the images", in_channels, MOST_CHANNELS),
    )
    # Six 3×3 convolutions a cell, at the widths C, 2C and 4C.
    count = 6 * 9 * 21 * cells * channels**2 + 4 * channels * classes
    if count > MOST_PARAMETERS:
        raise InputError(
            f"a network has at most {MOST_PARAMETERS:,} parameters; got {channels} channels and "
            f"{cells} cells, up to {count:,} parameters: take fewer"
        )
