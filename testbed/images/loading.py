"""An image set by its name."""

import os
from collections.abc import Callable
from pathlib import Path

from testbed.basis.errors import did_you_mean
from testbed.basis.foreign_text import quoted
from testbed.images import cifar, digits, imagenet16
from testbed.images.download import default_root
from testbed.images.download import download as _download
from testbed.images.errors import ImagesError, MissingDataError
from testbed.images.image_set import ImageSet
from testbed.images.names import FORMS, NAMES, SPLITS, is_own
from testbed.images.own.option import OwnImages

__all__ = ["load"]

_LOADERS: dict[str, Callable[[Path, str], ImageSet]] = {
    "digits": lambda root, split: digits.load(split),
    "cifar10": lambda root, split: cifar.load("cifar10", root, split),
    "cifar100": lambda root, split: cifar.load("cifar100", root, split),
    "imagenet16_120": imagenet16.load,
}
if tuple(_LOADERS) != NAMES:
    raise AssertionError(f"every name has a loader: {NAMES}; got {tuple(_LOADERS)}")


def load(
    name: str,
    root: str | os.PathLike[str] | None = None,
    split: str = "train",
    download: bool = False,
) -> ImageSet:
    """Return a split of a data set.

    Args:
        name: one of ``NAMES``, or a user's own images: ``folder:PATH``, ``npz:PATH`` or
            ``hf:PATH`` with options, see `testbed.images.own.option`.
        root: the data set's official folder, or the one that holds it; None is the
            user's cache folder, where earlier downloads lie. ``digits`` needs none.
        split: ``train`` or ``test``.
        download: whether to download the data set if it is not under ``root``.

    Raises:
        ImagesError: if the name or the split is unknown, the data is not there, a file
            of it is damaged or refused, or its download fails.
    """
    if is_own(name):
        if root is not None:
            raise ImagesError(f"{root} would be ignored: {quoted(name)} says where its images are")
        from testbed.images.own.loading import load_own

        return load_own(OwnImages.parse(name), split)
    if name not in _LOADERS:
        raise ImagesError(
            f"unknown data set {quoted(name)}{did_you_mean(name, NAMES)}; there are "
            f"{', '.join((*NAMES, *FORMS))}"
        )
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
