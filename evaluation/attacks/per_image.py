"""Tensors that run over images side by side, of which some images may leave."""

from dataclasses import dataclass, fields
from typing import TypeVar

from torch import Tensor

__all__ = ["PerImage"]

T = TypeVar("T", bound="PerImage")


@dataclass
class PerImage:
    """The state of an attack: fields whose first dimension runs over its images.

    Fields are tensors, or objects with a ``take`` of their own.
    """

    def take(self: T, keep: Tensor) -> T:
        """Return the state of the images that a mask (N,) or an index (n,) keeps."""
        kept = {}
        for field in fields(self):
            value = getattr(self, field.name)
            kept[field.name] = value[keep] if isinstance(value, Tensor) else value.take(keep)
        return type(self)(**kept)
