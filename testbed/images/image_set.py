"""A labelled set of images, from which class-balanced batches are drawn."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from testbed.basis.seeding import generator
from testbed.images.batch import Batch, fingerprint
from testbed.images.errors import ImagesError
from testbed.images.names import SPLITS
from testbed.images.own.pixels import StoredPixels

__all__ = ["SPLITS", "ImageSet"]


@dataclass(frozen=True, eq=False)
class ImageSet:
    """One split of a data set, kept as the integer grey levels of its files.

    Attributes:
        name: the name of the data set, e.g. ``cifar10``.
        split: ``train`` or ``test``.
        pixels: uint8 grey levels from 0 to ``levels``, (N, C, H, W); a large set of a user's
            own stays on the disk, and ``pixels[indices]`` reads some of it.
        levels: the grey level that stands for 1.0 (255; 16 for the digits).
        labels: int64 from 0 to ``classes`` - 1, (N,).
        classes: the number of classes.
        mean: the mean of each channel of the images in [0, 1], for a network's first layer.
        std: the standard deviation of each channel of the images in [0, 1].
        notes: what the user should know of how the images were read.

    Raises:
        ImagesError: if a field does not fit this description.
    """

    name: str
    split: str
    pixels: Tensor | StoredPixels
    levels: int
    labels: Tensor
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._require(self.split in SPLITS, f"a split is one of {SPLITS}")
        pixels, labels = self.pixels, self.labels
        self._require(
            pixels.dtype == torch.uint8 and pixels.ndim == 4,
            f"expected uint8 pixels (N, C, H, W); got {pixels.dtype} {tuple(pixels.shape)}",
        )
        self._require(math.prod(pixels.shape) > 0, f"it holds no images: {tuple(pixels.shape)}")
        self._require(
            labels.dtype == torch.int64 and labels.shape == pixels.shape[:1],
            f"expected int64 labels ({len(pixels)},), one for each image; "
            f"got {labels.dtype} {tuple(labels.shape)}",
        )
        brightest = int(pixels.max()) if isinstance(pixels, Tensor) else self.levels
        self._require(
            brightest <= self.levels <= 255,
            f"expected pixels from 0 to levels = {self.levels} and at most 255; got {brightest}",
        )
        low, high = int(labels.min()), int(labels.max())
        self._require(
            low >= 0 and high < self.classes,
            f"expected labels from 0 to {self.classes - 1}; got {low} to {high}",
        )
        self._require(
            len(self.mean) == len(self.std) == pixels.shape[1] and min(self.std) > 0,
            f"expected a mean and a positive std for each of {pixels.shape[1]} channels; "
            f"got {self.mean} and {self.std}",
        )

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return the channels, height and width of an image."""
        channels, height, width = self.pixels.shape[1:]
        return channels, height, width

    def images(self, indices: Tensor | None = None) -> Tensor:
        """Return images as float32 in [0, 1], (N, C, H, W).

        Args:
            indices: int64 (N,), which images, and in which order; None returns all.
        """
        pixels = self.pixels[slice(None) if indices is None else indices]
        return pixels.to(torch.float32) / self.levels

    def first(self, count: int | None) -> "ImageSet":
        """Return the set of the first so many images, which can be sent alone; None for all."""
        if count is None or count >= len(self):
            return self
        pixels = self.pixels
        # Not a view, of which a pickle holds all that it is a part of.
        first = pixels.first(count) if isinstance(pixels, StoredPixels) else pixels[:count].clone()
        return replace(self, pixels=first, labels=self.labels[:count].clone())

    def fingerprint(self) -> str:
        """Return the fingerprint of all pixels and labels, see `testbed.images.batch`."""
        return fingerprint(self.pixels, self.labels, self.levels)

    def batch(self, size: int, seed: int) -> Batch:
        """Draw a class-balanced batch without replacement or augmentation.

        The counts of two classes differ by at most one. The batch depends on the data
        and on (name, split, size, seed), never on the global random state; of a user's own
        images the fingerprint in the name counts, so that a folder and a file of the same images
        give the same batch.

        Raises:
            ImagesError: if ``size`` is below 1, or more than the classes can give evenly.
        """
        indices = self._balanced_indices(
            size, generator("batch", self.name.rpartition("@")[2], self.split, size, seed)
        )
        labels = self.labels[indices]
        pixels = self.pixels[indices]
        images = pixels.to(torch.float32) / self.levels
        return Batch(images, labels, fingerprint(pixels, labels, self.levels))

    def _balanced_indices(self, size: int, source: torch.Generator) -> Tensor:
        self._require(size >= 1, f"a batch has at least 1 image; got size {size}")
        self._require(
            size <= len(self), f"a batch of {size} was asked for, but there are {len(self)} images"
        )
        share, extra = divmod(size, self.classes)
        have = torch.bincount(self.labels, minlength=self.classes)
        # Only classes that can spare one more are drawn for the extra images, so
        # whether a size is possible does not hang on the seed.
        spare = (have > share).nonzero().flatten()
        fewest, rarest = int(have.min()), int(have.argmin())
        self._require(
            fewest >= share and len(spare) >= extra,
            f"a balanced batch of {size} takes at least {share} images of each of "
            f"{self.classes} classes and one more of {extra} of them, but class {rarest} has "
            f"{fewest}; ask for at most {self.classes * fewest + int((have > fewest).sum())}",
        )
        counts = torch.full((self.classes,), share)
        counts[spare[torch.randperm(len(spare), generator=source)[:extra]]] += 1
        chosen = []
        for label, count in enumerate(counts.tolist()):
            members = (self.labels == label).nonzero().flatten()
            chosen.append(members[torch.randperm(len(members), generator=source)[:count]])
        return torch.cat(chosen)[torch.randperm(size, generator=source)]

    def _require(self, condition: bool, complaint: str) -> None:
        if not condition:
            raise ImagesError(f"image set {self.name!r}, split {self.split!r}: {complaint}")
