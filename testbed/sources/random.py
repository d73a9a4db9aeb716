"""Networks of a search space with fresh weights."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from testbed.networks.normalise import normalised
from testbed.sources.source import SourceError
from testbed.spaces import registry
from testbed.spaces.space import SearchSpace
from testbed.spaces.weights import random_network

__all__ = ["RandomSource"]


@dataclass(frozen=True)
class RandomSource:
    """Fresh networks; see `testbed.spaces.weights.random_network`.

    Attributes:
        init: one of `testbed.spaces.names.INITIALISATIONS`.
        mean: the mean of each channel of the images, for the normalisation in front.
        std: the standard deviation of each channel of the images.
        channels: C, the width of the first stage; None for that of the space.
        cells: N, the cells in a stage; None for that of the space.
        classes: the number of logits.
        in_channels: the number of channels of the images.
        space: the search space.
    """

    init: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    channels: int | None = None
    cells: int | None = None
    classes: int = 10
    in_channels: int = 3
    space: SearchSpace[Any] = field(default_factory=lambda: registry.get(registry.DEFAULT))

    def __post_init__(self) -> None:
        self.space.check(classes=self.classes, in_channels=self.in_channels, **self._given)

    @property
    def _given(self) -> dict[str, int]:
        given = {"channels": self.channels, "cells": self.cells}
        return {name: value for name, value in given.items() if value is not None}

    @property
    def fresh(self) -> bool:
        """Return True: the batch-norm statistics are 0 and 1."""
        return True

    def networks(self) -> Sequence[str]:
        """Refuse to list all networks of a space: the user has to choose some.

        Raises:
            SourceError: always.
        """
        raise SourceError("random networks are chosen with --archs")

    def settings(self, network: str, seed: int | None) -> dict[str, Any]:
        """Return the size of the networks; what else tells them apart is in the key."""
        return {**self.space.sizes, **self._given}

    def build(self, network: str, seed: int | None) -> nn.Module:
        """Return the network in eval mode."""
        bare = random_network(
            self.space, self.space.parse(network), seed or 0, self.init, classes=self.classes,
            in_channels=self.in_channels, **self._given,
        )  # fmt: skip
        return normalised(bare, self.mean, self.std).eval()
