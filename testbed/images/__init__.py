"""Images by name: the digits of scikit-learn, CIFAR-10, CIFAR-100 and ImageNet16-120.

Pixels are in [0, 1]; normalisation is a layer of the network.
"""

import os
from collections.abc import Callable
from pathlib import Path

from testbed.images import cifar, digits, imagenet16
from testbed.images.batch import Batch
from testbed.images.download import default_root
from testbed.images.download import download as _download
from testbed.images.errors import ImagesError, MissingDataError
from testbed.images.image_set import SPLITS, ImageSet

__all__ = ["NAMES", "Batch", "ImageSet", "ImagesError", "load"]

_LOADERS: dict[str, Callable[[Path, str], ImageSet]] = {
    "digits": lambda root, split: digits.load(split),
    "cifar10": lambda root, split: cifar.load("cifar10", root, split),
    "cifar100": lambda root, split: cifar.load("cifar100", root, split),
    "imagenet16_120": imagenet16.load,
}
NAMES = tuple(_LOADERS)


def load(
    name: str,
    root: str | os.PathLike[str] | None = None,
    split: str = "train",
    download: bool = False,
) -> ImageSet:
    """Return a split of a data set.

    Args:
        name: one of ``NAMES``.
        root: the data set's official folder, or the one that holds it; None is the
            user's cache folder, where earlier downloads lie. ``digits`` needs none.
        split: ``train`` or ``test``.
        download: whether to download the data set if it is not under ``root``.

    Raises:
        ImagesError: if the name or the split is unknown, the data is not there, a file
            of it is damaged or refused, or its download fails.
    """
    if name not in _LOADERS:
        raise ImagesError(f"unknown data set {name!r}; there are {', '.join(NAMES)}")
    if split not in SPLITS:
        raise ImagesError(f"unknown split {split!r} of {name!r}; there are {', '.join(SPLITS)}")
    place = default_root() if root is None else Path(root)
    try:
        return _LOADERS[name](place, split)
    except MissingDataError:
        if not download:
            raise
    _download(name, place)
    return _LOADERS[name](place, split)
