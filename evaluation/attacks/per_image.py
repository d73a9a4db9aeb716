"""Tensors that run over images side by side, of which some images may leave."""

from dataclasses import dataclass, fields
from typing import TypeVar

from torch import Tensor

__all__ = ["PerImage"]

T = TypeVar("T", bound="PerImage")


@dataclass
class PerImage:
    """The state of an attack: fields whose first dimension runs over its images.

    Fields are tensors, or objects with a ``take`` of their own, or None.
    """

    def take(self: T, keep: Tensor) -> T:
        """Return the state of the images that a mask (N,) or an index (n,) keeps."""
        kept = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Tensor):
                value = value[keep]
            elif value is not None:
                value = value.take(keep)
            kept[field.name] = value
        return type(self)(**kept)
