"""ImageNet16-120 of NAS-Bench-201: 16×16 images of ImageNet's first 120 classes.

Chrabaszcz, Loshchilov and Hutter, "A Downsampled Variant of ImageNet as an Alternative
to the CIFAR Datasets", 2017; Dong and Yang, "NAS-Bench-201", ICLR 2020.
"""

from pathlib import Path

import numpy as np
import torch

from testbed.images.batch_files import batch_paths, read_batch
from testbed.images.image_set import ImageSet

__all__ = ["FOLDER", "WHERE", "load"]

FOLDER = "ImageNet16"
WHERE = (
    "get it as the README of NAS-Bench-201 says (https://github.com/D-X-Y/NAS-Bench-201): "
    "it has no stable public address to download from"
)
FILES = {
    "train": tuple(f"train_data_batch_{number}" for number in range(1, 11)),
    "test": ("val_data",),
}
SHAPE = (3, 16, 16)
ALL_CLASSES, CLASSES = 1000, 120
MEAN = (122.68 / 255, 116.66 / 255, 104.01 / 255)
STD = (63.22 / 255, 61.26 / 255, 65.09 / 255)


def load(root: Path, split: str) -> ImageSet:
    """Return a split of ``imagenet16_120``; ``test`` is ImageNet's validation set.

    The files hold all 1,000 classes, numbered from 1; the first 120 are kept.

    Args:
        root: the folder ``ImageNet16``, or the one that holds it.
        split: ``train`` or ``test``.

    Raises:
        MissingDataError: if files are missing.
        DataFileError: if a file is damaged or holds something else.
    """
    kept = []
    for path in batch_paths(root, FOLDER, FILES[split], WHERE):
        pixels, labels = read_batch(path, "labels", SHAPE, (1, ALL_CLASSES))
        # File by file: all 1,000 classes would take a gigabyte.
        first = labels <= CLASSES
        kept.append((pixels[first], labels[first] - 1))
    pixels, labels = (np.concatenate(parts) for parts in zip(*kept, strict=True))
    return ImageSet(
        name="imagenet16_120",
        split=split,
        pixels=torch.from_numpy(pixels),
        levels=255,
        labels=torch.from_numpy(labels),
        classes=CLASSES,
        mean=MEAN,
        std=STD,
    )
