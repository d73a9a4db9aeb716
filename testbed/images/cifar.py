"""CIFAR-10 and CIFAR-100 from their official folders of Python pickles.

Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009. The mean
and standard deviation of the channels are those of NAS-Bench-201.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from testbed.images.batch_files import batch_paths, read_batch
from testbed.images.image_set import ImageSet

__all__ = ["load"]

SHAPE = (3, 32, 32)


@dataclass(frozen=True)
class _Layout:
    folder: str
    files: dict[str, tuple[str, ...]]
    label_key: str
    classes: int
    mean: tuple[float, ...]  # in units of 1/255
    std: tuple[float, ...]


LAYOUTS = {
    "cifar10": _Layout(
        folder="cifar-10-batches-py",
        files={
            "train": tuple(f"data_batch_{number}" for number in range(1, 6)),
            "test": ("test_batch",),
        },
        label_key="labels",
        classes=10,
        mean=(125.3, 123.0, 113.9),
        std=(63.0, 62.1, 66.7),
    ),
    "cifar100": _Layout(
        folder="cifar-100-python",
        files={"train": ("train",), "test": ("test",)},
        label_key="fine_labels",
        classes=100,
        mean=(129.3, 124.1, 112.4),
        std=(68.2, 65.4, 70.4),
    ),
}


def load(name: str, root: Path, split: str) -> ImageSet:
    """Return a split of ``cifar10`` or ``cifar100`` (the 100 fine classes).

    The batch files may have any number of rows, in case a subset is enough.

    Args:
        name: ``cifar10`` or ``cifar100``.
        root: the official folder, or the one that holds it.
        split: ``train`` or ``test``.

    Raises:
        MissingDataError: if files are missing.
        DataFileError: if a file is damaged or holds something else.
    """
    layout = LAYOUTS[name]
    paths = batch_paths(root, layout.folder, layout.files[split], "ask for --download")
    batches = [read_batch(path, layout.label_key, SHAPE, (0, layout.classes - 1)) for path in paths]
    pixels, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    return ImageSet(
        name=name,
        split=split,
        pixels=torch.from_numpy(pixels),
        levels=255,
        labels=torch.from_numpy(labels),
        classes=layout.classes,
        mean=tuple(value / 255 for value in layout.mean),
        std=tuple(value / 255 for value in layout.std),
    )
