"""Networks that ``python -m testbed.train`` has trained."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from testbed.nasbench201.checkpoints import settings_of, trained_network
from testbed.nasbench201.genotype import Genotype
from testbed.sources.source import SourceError

__all__ = ["TrainedSource"]


@dataclass(frozen=True)
class TrainedSource:
    """The checkpoints of a folder."""

    folder: Path

    @property
    def init(self) -> str:
        """Return ``trained``."""
        return "trained"

    @property
    def fresh(self) -> bool:
        """False: the statistics are of the training."""
        return False

    def networks(self) -> Sequence[str]:
        """Return the architectures of the folder, in the order of their ids.

        Raises:
            SourceError: if it holds none.
        """
        names = sorted(path.name[:6] for path in self.folder.glob("[0-9]*-seed*.safetensors"))
        if not names:
            raise SourceError(
                f"no trained network in {self.folder}: train some with "
                f"python -m testbed.train --out {self.folder}"
            )
        return [str(Genotype.from_index(int(name))) for name in dict.fromkeys(names)]

    def settings(self, network: str, seed: int | None) -> dict[str, Any]:
        """Return the fingerprint of the weights and the size of the network."""
        found = settings_of(self.folder, Genotype.parse(network), seed or 0)
        recipe = found["recipe"]
        return {
            "weights": found["weights_fingerprint"],
            "channels": recipe["channels"], "cells": recipe["cells"],
        }  # fmt: skip

    def build(self, network: str, seed: int | None) -> nn.Module:
        """Return the network in eval mode."""
        return trained_network(self.folder, Genotype.parse(network), seed or 0)
