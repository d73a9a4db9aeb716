"""The 15 common corruptions at five severities, for any image set."""

from typing import TYPE_CHECKING

from testbed.basis.lazy import attributes
from testbed.images.names import CORRUPTIONS, SEVERITIES

if TYPE_CHECKING:
    from testbed.corruptions.files import write_corrupted
    from testbed.corruptions.generate import corrupt, corrupted_set

__all__ = [
    "CORRUPTIONS",
    "SEVERITIES",
    "corrupt",
    "corrupted_set",
    "write_corrupted",
]

__getattr__ = attributes(
    __name__,
    {
        "write_corrupted": "testbed.corruptions.files",
        "corrupt": "testbed.corruptions.generate",
        "corrupted_set": "testbed.corruptions.generate",
    },
)
