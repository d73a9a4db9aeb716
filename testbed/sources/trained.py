"""Networks that ``robustness-proxies train`` has trained."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from testbed.sources.source import SourceError
from testbed.spaces.registry import DEFAULT, get, parsed
from testbed.spaces.space import SearchSpace
from testbed.train.checkpoint_files import read_json
from testbed.train.checkpoints import Checkpoint, settings_of, trained_network

__all__ = ["TrainedSource"]


@dataclass(frozen=True)
class TrainedSource:
    """The trained networks of a folder; the seed of a network is that of its training."""

    folder: Path
    space: SearchSpace[Any] | None = None  # of a user's own, which a worker then knows

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
        paths = sorted(self.folder.glob("*-seed*.safetensors"))
        names = dict.fromkeys(map(_network, paths))
        if not names:
            raise SourceError(
                f"no trained network in {self.folder}: train some with "
                f"robustness-proxies train --out {self.folder}"
            )
        return list(names)

    def settings(self, network: str, seed: int | None) -> dict[str, Any]:
        """Return the fingerprint of the weights, the network's size, and how it was trained.

        Raises:
            CheckpointError: if the settings are missing or damaged.
        """
        found = settings_of(self.folder, network, seed or 0)
        checkpoint = Checkpoint.from_settings(found)
        recipe = checkpoint.recipe.settings()
        size = {name: recipe.pop(name) for name in ("channels", "cells")}
        found_space = parsed(network)
        known = {} if found_space is None else found_space[0].sizes
        size = {name: value for name, value in size.items() if name in known}
        own = checkpoint.own
        made = {} if own is None or own.factory is None else {"factory": own.factory}
        return (
            size
            | made
            | {
                "weights": checkpoint.weights_fingerprint,
                "recipe": recipe,
                "trained_on": checkpoint.images,
            }
        )

    def build(self, network: str, seed: int | None) -> nn.Module:
        """Return the network in eval mode."""
        return trained_network(self.folder, network, seed or 0)


def _network(path: Path) -> str:
    """Return the network whose weights lie at a path: those of NAS-Bench-201 go by number."""
    word = path.name.partition("-seed")[0]
    if word.isascii() and word.isdecimal():
        space = get(DEFAULT)
        return space.name(space.numbered(int(word)))
    return str(read_json(path.with_suffix(".json")).get("genotype"))
