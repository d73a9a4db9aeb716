"""Random flips and crops of a whole epoch, drawn beforehand and applied batch by batch."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from testbed.images.own.pixels import StoredPixels

__all__ = ["Augmentation"]


@dataclass(frozen=True, eq=False)
class Augmentation:
    """The random changes of each of N images.

    Attributes:
        flipped: bool (N,), which images are mirrored left to right.
        shift: int64 (N, 2), the row and the column of the padded image, from 0 to
            2 · padding, at which the crop begins.
        padding: the number of pixels of value 0 on each side of an image.
    """

    flipped: Tensor
    shift: Tensor
    padding: int

    @staticmethod
    def draw(count: int, flip: float, padding: int, source: torch.Generator) -> "Augmentation":
        """Draw the changes of ``count`` images, each mirrored with probability ``flip``."""
        flipped = torch.rand(count, generator=source) < flip
        shift = torch.randint(2 * padding + 1, (count, 2), generator=source)
        return Augmentation(flipped, shift, padding)

    def to(self, device: torch.device | str) -> "Augmentation":
        """Return the same changes on a device."""
        return Augmentation(self.flipped.to(device), self.shift.to(device), self.padding)

    def apply(self, pixels: Tensor | StoredPixels, indices: Tensor) -> Tensor:
        """Return the images of ``indices`` mirrored, padded and cropped, in channels-last memory.

        Args:
            pixels: all N images, (N, C, H, W), of any dtype, or those on the disk.
            indices: int64 (B,), which images.

        Returns:
            (B, C, H, W) of the same dtype.
        """
        height, width = pixels.shape[-2:]
        padded = pad(pixels[indices].to(indices.device), [self.padding] * 4)
        top, left = self.shift[indices].unsqueeze(2).unbind(1)
        rows = top + torch.arange(height, device=indices.device)
        columns = left + torch.arange(width, device=indices.device)
        # The crop of a mirrored image: counted from the other edge of the padded one.
        mirrored = width + 2 * self.padding - 1 - columns
        columns = torch.where(self.flipped[indices, None], mirrored, columns)
        batch = torch.arange(len(indices), device=indices.device)[:, None, None]
        cropped = padded[batch, :, rows[:, :, None], columns[:, None, :]]  # (B, H, W, C)
        return cropped.permute(0, 3, 1, 2)
