"""A user's own images as an image set."""

import torch

from testbed.images.errors import ImagesError
from testbed.images.image_set import ImageSet
from testbed.images.names import SPLITS
from testbed.images.own.folder import open_folder
from testbed.images.own.hugging_face import open_hugging_face
from testbed.images.own.npz import open_npz
from testbed.images.own.option import OwnImages
from testbed.images.own.pictures import Form
from testbed.images.own.pixels import StoredPixels
from testbed.images.own.reader import Opened
from testbed.images.own.scan import Scan, rows_of_splits, scan

__all__ = ["load_own", "name_of"]

MOST_IN_MEMORY = 2**25  # bytes of pixels: a job is sent to workers with every task
_OPEN = {"folder": open_folder, "npz": open_npz, "hf": open_hugging_face}


def load_own(option: OwnImages, split: str) -> ImageSet:
    """Return the training or the test images of a user's own.

    Raises:
        ImagesError: if they cannot be read, or the split is unknown.
    """
    if split not in SPLITS:
        raise ImagesError(f"unknown split {split!r}; there are {', '.join(SPLITS)}")
    opened = _opened(option)
    found = scan(option, opened)
    reader, rows = rows_of_splits(option, opened, found.skipped)[split]
    pixels = StoredPixels(reader, rows, Form(found.channels, found.size, option.fit))
    small = len(rows) * found.channels * found.size[0] * found.size[1] <= MOST_IN_MEMORY
    return ImageSet(
        name=_name(option, found),
        split=split,
        pixels=pixels[:] if small else pixels,
        levels=opened.levels,
        labels=torch.from_numpy(reader.labels[rows]),
        classes=len(opened.classes),
        mean=found.mean,
        std=found.std,
        notes=(*opened.notes, *found.notes),
    )


def name_of(option: OwnImages) -> str:
    """Return the name that images have in keys and tables: it holds their fingerprint.

    Raises:
        ImagesError: if they cannot be read.
    """
    return _name(option, scan(option, _opened(option)))


def _opened(option: OwnImages) -> Opened:
    return _OPEN[option.kind](option)


def _name(option: OwnImages, found: Scan) -> str:
    height, width = found.size
    return f"{option.slug}-{height}x{width}@{found.fingerprint}"
