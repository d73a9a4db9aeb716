"""What a command line may say of networks of the space; nothing here needs torch."""

from testbed.spaces.names import INITIALISATIONS, MOST_CELLS, MOST_CHANNELS

__all__ = [
    "ARCHIVE_DATASETS", "INITIALISATIONS", "MOST_CELLS", "MOST_CHANNELS", "SELECTION_HELP",
    "SELECTION_WORDS",
]  # fmt: skip

ARCHIVE_DATASETS = ("cifar10-valid", "cifar10", "cifar100", "ImageNet16-120")
SELECTION_WORDS = ("all", "unique", "sample", "spread")
SELECTION_HELP = (
    "all (15,625), unique (the 6,466 of lowest id in their isomorphism class), sample:N or "
    "sample:N:SEED of the unique ones, spread:N of as many sizes as there are, published ids such "
    "as 0,11,284 or 0-99, an architecture string, NASLib's (4, 0, 3, 1, 4, 3), or a file with one "
    "of these on each line"
)
