"""CIFAR-10-C and CIFAR-100-C, and folders of the same layout that were generated.

Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations", ICLR 2019. A folder holds an array ``<corruption>.npy`` for each corruption,
uint8 (5·n, H, W, C), the n images at severity 1, then at severity 2, and so on; and
``labels.npy``, (5·n,). Nothing in them is pickled, and nothing pickled is read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch

from testbed.basis.foreign_text import described, shown
from testbed.files.plain_arrays import MAGIC, open_plain_array
from testbed.files.strict_json import read_json
from testbed.images import cifar, digits, imagenet16
from testbed.images.errors import DataFileError, ImagesError, MissingDataError
from testbed.images.image_set import ImageSet
from testbed.images.names import CORRUPTIONS, EXTRAS, SEVERITIES, SPLITS

__all__ = [
    "CORRUPTIONS",
    "EXTRAS",
    "GENERATED",
    "LAYOUTS",
    "SEVERITIES",
    "Layout",
    "generated_name",
    "load_corrupted",
]

GENERATED = "generated.json"
LABELS = "labels.npy"


@dataclass(frozen=True)
class Layout:
    """What the arrays of a folder hold.

    Attributes:
        folder: its usual name.
        shape: height, width and channels of an image.
        classes: the number of classes.
        mean: of the clean images.
        std: likewise.
    """

    folder: str
    shape: tuple[int, int, int]  # H, W, C
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @staticmethod
    def of(images: ImageSet) -> "Layout":
        """Return the layout of an image set's corruptions."""
        channels, height, width = images.shape
        return Layout(
            f"{images.name}-c", (height, width, channels), images.classes, images.mean, images.std
        )


def _of_cifar(name: str, folder: str) -> Layout:
    clean = cifar.LAYOUTS[name]
    mean, std = (tuple(value / 255 for value in values) for values in (clean.mean, clean.std))
    return Layout(folder, (32, 32, 3), clean.classes, mean, std)


# The last two have no official archive: they are for generated folders.
LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        "cifar10-c": _of_cifar("cifar10", "CIFAR-10-C"),
        "cifar100-c": _of_cifar("cifar100", "CIFAR-100-C"),
        "digits-c": Layout("digits-c", (8, 8, 1), digits.CLASSES, digits.MEAN, digits.STD),
        "imagenet16_120-c": Layout(
            "imagenet16_120-c", (16, 16, 3), imagenet16.CLASSES, imagenet16.MEAN, imagenet16.STD
        ),
    }
)


def load_corrupted(
    name: str, root: Path, corruption: str, severity: int, layout: Layout | None = None
) -> ImageSet:
    """Return the images of one corruption at one severity; only these are read.

    The arrays may hold any number of images, in case a subset is enough.

    Args:
        name: ``cifar10-c`` or ``cifar100-c``, or another of ``LAYOUTS`` that was generated.
        root: the folder (``CIFAR-10-C``, ``CIFAR-100-C``), or the one that holds it.
        corruption: one of ``CORRUPTIONS`` or ``EXTRAS``.
        severity: from 1 to 5.
        layout: of the arrays of a set that is none of ``LAYOUTS``.

    Returns:
        A set with the mean and standard deviation of the clean images, named
        ``cifar10-c/fog/3``, or as ``generated_name`` says.

    Raises:
        ImagesError: if the name, the corruption or the severity is unknown.
        MissingDataError: if a file is not there.
        DataFileError: if a file is damaged or holds something else.
    """
    layout = layout if layout is not None and name not in LAYOUTS else _layout(name)
    if corruption not in (*CORRUPTIONS, *EXTRAS):
        known = ", ".join((*CORRUPTIONS, *EXTRAS))
        raise ImagesError(f"unknown corruption {corruption!r}; there are {known}")
    if severity not in SEVERITIES:
        raise ImagesError(f"a severity is one of 1, 2, 3, 4, 5; got {severity!r}")
    home = _home(layout, Path(root))
    labels = _labels(home, layout)
    array = _array(home, layout, corruption, labels.size)
    part = array.reshape(len(SEVERITIES), -1, *layout.shape)[severity - 1]
    split, full_name = _origin(home, name, corruption, severity)
    return ImageSet(
        name=full_name,
        split=split,
        # A copy even where the order fits already: the file is mapped read-only.
        pixels=torch.from_numpy(np.array(part.transpose(0, 3, 1, 2), order="C")),
        levels=255,
        labels=torch.from_numpy(labels[severity - 1].astype(np.int64)),
        classes=layout.classes,
        mean=layout.mean,
        std=layout.std,
    )


def generated_name(clean: str, corruption: str, severity: int, key: int | str) -> str:
    """Return the name of a generated set, which no set of the benchmark has.

    Args:
        clean: the name of the clean set.
        corruption: one of ``CORRUPTIONS``.
        severity: from 1 to 5.
        key: the seed of the random corruptions.
    """
    return f"{clean}-c/{corruption}/{severity}/generated-{key}"


def _layout(name: str) -> Layout:
    if name not in LAYOUTS:
        raise ImagesError(f"unknown corrupted data set {name!r}; there are {', '.join(LAYOUTS)}")
    return LAYOUTS[name]


def _home(layout: Layout, root: Path) -> Path:
    home = root / layout.folder
    if home.is_dir():
        return home
    if (root / LABELS).is_file() or any((root / f"{word}.npy").is_file() for word in CORRUPTIONS):
        return root
    raise MissingDataError(
        f"no folder {home}, expected to hold {LABELS} and <corruption>.npy; give the folder "
        f"{layout.folder} or the one that holds it, or generate one: "
        f"robustness-proxies corrupt --help"
    )


def _labels(home: Path, layout: Layout) -> np.ndarray:
    """Return the labels, (5, n), after checking that all five rows are the same."""
    path = home / LABELS
    labels = _open(path)
    size = labels.size
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or not size or size % len(SEVERITIES):
        raise DataFileError(
            f"{path}: expected whole numbers (5·n,), one for each image at each of five "
            f"severities; got {_kind(labels)}"
        )
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= layout.classes:
        raise DataFileError(
            f"{path}: expected labels from 0 to {layout.classes - 1}; got {low} to {high}"
        )
    rows = np.asarray(labels).reshape(len(SEVERITIES), -1)
    differ = (rows != rows[0]).any(1).nonzero()[0]
    if len(differ):
        raise DataFileError(
            f"{path}: the labels of severity {differ[0] + 1} are not those of severity 1, "
            f"but each fifth of the file must list the same images"
        )
    return rows


def _array(home: Path, layout: Layout, corruption: str, count: int) -> np.ndarray:
    """Return a corruption's array, (5·n, H, W, C), mapped into memory but not read."""
    path = home / f"{corruption}.npy"
    if not path.is_file():
        present = [word for word in (*CORRUPTIONS, *EXTRAS) if (home / f"{word}.npy").is_file()]
        missing = [word for word in CORRUPTIONS if word not in present]
        raise MissingDataError(
            f"there is no {path}; of the {len(CORRUPTIONS)} corruptions the folder lacks "
            f"{', '.join(missing) or 'none'}; complete it"
        )
    array = _open(path)
    if array.dtype != np.uint8 or array.shape[1:] != layout.shape or len(array) != count:
        wanted = ", ".join(map(str, layout.shape))
        raise DataFileError(
            f"{path}: expected uint8 ({count}, {wanted}), as many images as {LABELS} has "
            f"labels; got {_kind(array)}"
        )
    return array


def _open(path: Path) -> np.ndarray:
    try:
        with path.open("rb") as file:
            start = file.read(len(MAGIC))
        # Not left to NumPy, which takes other files for pickles and advises to load them.
        if start != MAGIC:
            raise DataFileError(
                f"{path}: expected one plain array (.npy), nothing pickled and no archive; got "
                f"a file that starts with {start!r}; fetch it again"
            )
        return open_plain_array(path)
    except FileNotFoundError as error:
        raise MissingDataError(f"there is no {path}; complete the folder") from error
    except DataFileError:
        raise
    # The bytes decide what a broken array raises: nearly any exception is possible.
    except Exception as error:
        raise DataFileError(
            f"{path} is truncated or not a plain array file "
            f"({type(error).__name__}: {shown(str(error))}); fetch it again"
        ) from error


def _kind(array: np.ndarray) -> str:
    return shown(f"{array.dtype} {array.shape}")


def _origin(home: Path, name: str, corruption: str, severity: int) -> tuple[str, str]:
    """Return the split and the name of a set, from the note that a generator leaves."""
    path = home / GENERATED
    if not path.exists():
        return "test", f"{name}/{corruption}/{severity}"
    note = read_json(path, DataFileError)
    split, clean, key = (
        note.get(word) if isinstance(note, dict) else None for word in ("split", "images", "key")
    )
    if not isinstance(key, int | str) or isinstance(key, bool):
        raise DataFileError(
            f"{path} is not what a generator writes: expected a number or a text as its key; got "
            f"{described(key)}"
        )
    if type(clean) is not str or f"{clean}-c" != name or split not in SPLITS:
        raise DataFileError(
            f"{path}: this folder was generated from {described(clean)}, not for {name!r}"
        )
    return split, generated_name(clean, corruption, severity, key)
