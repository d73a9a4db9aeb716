"""The 15 common corruptions at five severities, for any image set."""

from testbed.corruptions.files import write_corrupted
from testbed.corruptions.generate import corrupt, corrupted_set
from testbed.images.corrupted import CORRUPTIONS, SEVERITIES

__all__ = ["CORRUPTIONS", "SEVERITIES", "corrupt", "corrupted_set", "write_corrupted"]
