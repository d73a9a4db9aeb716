"""Tensors that run over images side by side, of which some may leave and others come."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TypeVar, Union

import torch
from torch import Tensor

__all__ = ["PerImage"]

T = TypeVar("T", bound="PerImage")


@dataclass
class PerImage:
    """The state of an attack: fields whose first dimension runs over its images.

    Fields are tensors, or states themselves.
    """

    def __len__(self) -> int:
        return len(next(self._parts())[1])

    def take(self: T, keep: Tensor) -> T:
        """Return the state of the images that a mask (N,) or an index (n,) keeps."""
        kept = {
            name: value[keep] if isinstance(value, Tensor) else value.take(keep)
            for name, value in self._parts()
        }
        return type(self)(**kept)

    def write(self: T, where: Tensor, other: T) -> None:
        """Put other images' state into the places of an index (n,), in place."""
        for (_, value), (_, new) in zip(self._parts(), other._parts(), strict=True):
            if isinstance(value, Tensor):
                assert isinstance(new, Tensor)
                value[where] = new.to(value.dtype)
            else:
                assert isinstance(new, PerImage)
                value.write(where, new)

    def join(self: T, other: T) -> T:
        """Return the state of these images and of others after them."""
        joined = {}
        for (name, value), (_, new) in zip(self._parts(), other._parts(), strict=True):
            if isinstance(value, Tensor):
                assert isinstance(new, Tensor)
                joined[name] = torch.cat([value, new])
            else:
                assert isinstance(new, PerImage)
                joined[name] = value.join(new)
        return type(self)(**joined)

    def exchange(self: T, gone: Tensor, fresh: T | None) -> T:
        """Return the state without the images of a mask (N,), and with fresh ones.

        Fresh images take the places of those that go: only what changes is copied.
        """
        places = gone.nonzero()[:, 0]
        if fresh is None:
            return self.take(~gone) if len(places) else self
        both = min(len(places), len(fresh))
        order = torch.arange(len(fresh), device=gone.device)
        if both:
            self.write(places[:both], fresh.take(order[:both]))
        if both < len(places):
            keep = ~gone
            keep[places[:both]] = True
            return self.take(keep)
        return self.join(fresh.take(order[both:])) if both < len(fresh) else self

    def _parts(self) -> Iterator[tuple[str, Union[Tensor, "PerImage"]]]:
        for field in fields(self):
            yield field.name, getattr(self, field.name)
