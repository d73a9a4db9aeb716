"""The data sets of the archives: their images, normalisation and test sets.

Dong and Yang, "NAS-Bench-201", ICLR 2020, section 2.2. The mean and standard deviation
are those that the archives' authors trained with (AutoDL-Projects,
``xautodl/datasets/get_dataset_with_transform.py``), as our image sets have them.
"""

from dataclasses import dataclass

from testbed.images import cifar, imagenet16

__all__ = ["DATASETS", "DataSet", "of_images"]


@dataclass(frozen=True)
class DataSet:
    """A data set of the archives.

    Attributes:
        images: the name of its image set in `testbed.images`.
        classes: the number of classes.
        mean: the mean of each channel of the images in [0, 1].
        std: the standard deviation of each channel of the images in [0, 1].
        test_images: the size of the official test set, which ``ori-test`` is measured on.
    """

    images: str
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    test_images: int


def _cifar(name: str) -> DataSet:
    layout = cifar.LAYOUTS[name]
    mean, std = (tuple(value / 255 for value in values) for values in (layout.mean, layout.std))
    return DataSet(name, layout.classes, mean, std, test_images=10_000)


DATASETS = {
    "cifar10-valid": _cifar("cifar10"),  # trained on one half of the training set
    "cifar10": _cifar("cifar10"),  # trained on all of it
    "cifar100": _cifar("cifar100"),
    "ImageNet16-120": DataSet(
        "imagenet16_120", imagenet16.CLASSES, imagenet16.MEAN, imagenet16.STD, test_images=6_000
    ),
}


def of_images(name: str) -> str | None:
    """Return the archives' data set of an image set, all of whose training images were used.

    None if there is none; never ``cifar10-valid``, one half of a training set.
    """
    names = [key for key, dataset in DATASETS.items() if dataset.images == name]
    return next((key for key in names if not key.endswith("-valid")), None)
