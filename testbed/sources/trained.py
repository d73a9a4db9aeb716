"""Networks that ``robustness-proxies train`` has trained."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from testbed.sources.source import SourceError
from testbed.spaces.nasbench201.checkpoints import Checkpoint, settings_of, trained_network
from testbed.spaces.nasbench201.genotype import Genotype

__all__ = ["TrainedSource"]


@dataclass(frozen=True)
class TrainedSource:
    """The trained networks of a folder; the seed of a network is that of its training."""

    folder: Path

    @property
    def init(self) -> str:
        """Return ``trained``."""
        return "trained"

    @property
    def fresh(self) -> bool:
        """Return False: the batch-norm statistics are those of the training."""
        return False

    def networks(self) -> Sequence[str]:
        """Return the architectures of the folder, in the order of their ids.

        Raises:
            SourceError: if the folder holds no trained network.
        """
        names = sorted(path.name[:6] for path in self.folder.glob("[0-9]*-seed*.safetensors"))
        if not names:
            raise SourceError(
                f"no trained network in {self.folder}: train some with "
                f"robustness-proxies train --out {self.folder}"
            )
        return [str(Genotype.from_index(int(name))) for name in dict.fromkeys(names)]

    def settings(self, network: str, seed: int | None) -> dict[str, Any]:
        """Return the fingerprint of the weights, the network's size, and how it was trained.

        Raises:
            CheckpointError: if the settings are missing or damaged.
        """
        found = settings_of(self.folder, Genotype.parse(network), seed or 0)
        checkpoint = Checkpoint.from_settings(found)
        recipe = checkpoint.recipe.settings()
        size = {name: recipe.pop(name) for name in ("channels", "cells")}
        return size | {
            "weights": checkpoint.weights_fingerprint,
            "recipe": recipe,
            "trained_on": checkpoint.images,
        }

    def build(self, network: str, seed: int | None) -> nn.Module:
        """Return the network in eval mode."""
        return trained_network(self.folder, Genotype.parse(network), seed or 0)
