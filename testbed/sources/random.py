"""Networks of NAS-Bench-201 with fresh weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from testbed.networks.normalise import normalised
from testbed.sources.source import SourceError
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.nasbench201.weights import random_network

__all__ = ["RandomSource"]


@dataclass(frozen=True)
class RandomSource:
    """Fresh networks; see `testbed.spaces.nasbench201.weights.random_network`.

    Attributes:
        init: one of `testbed.spaces.nasbench201.weights.INITIALISATIONS`.
        mean: the mean of each channel of the images, for the normalisation in front.
        std: the standard deviation of each channel of the images.
        channels: C, the width of the first stage.
        cells: N, the cells in a stage.
        classes: the number of logits.
        in_channels: the number of channels of the images.
    """

    init: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    channels: int = 16
    cells: int = 5
    classes: int = 10
    in_channels: int = 3

    @property
    def fresh(self) -> bool:
        """Return True: the batch-norm statistics are 0 and 1."""
        return True

    def networks(self) -> Sequence[str]:
        """Refuse to list all 15,625 architectures: the user has to choose some.

        Raises:
            SourceError: always.
        """
        raise SourceError("random networks are chosen with --archs")

    def settings(self, network: str, seed: int | None) -> dict[str, Any]:
        """Return the size of the networks; what else tells them apart is in the key."""
        return {"channels": self.channels, "cells": self.cells}

    def build(self, network: str, seed: int | None) -> nn.Module:
        """Return the network in eval mode."""
        bare = random_network(
            Genotype.parse(network), seed or 0, self.init, channels=self.channels,
            cells=self.cells, classes=self.classes, in_channels=self.in_channels,
        )  # fmt: skip
        return normalised(bare, self.mean, self.std).eval()
