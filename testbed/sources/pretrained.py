"""Networks of the NATS-Bench and NAS-Bench-201 archives."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from testbed.sources.source import SourceError
from testbed.spaces import registry
from testbed.spaces.space import SearchSpace

__all__ = ["PretrainedSource"]


@dataclass
class PretrainedSource:
    """The trained networks of an archive; the seed of a network is that of its training.

    Attributes:
        path: the file or folder of the archive.
        dataset: the data set of the training, by its name in the archive.
        hp: the archive's hyper-parameters, ``12`` or ``200`` (``01``, ``12`` or ``90`` of the size
            space); None for those of the longest training.
        space: the search space that the archive is of.
    """

    path: Path
    dataset: str = "cifar10"
    hp: str | None = None
    space: SearchSpace[Any] = field(default_factory=lambda: registry.get(registry.DEFAULT))
    archive: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.archive = self.space.archive(self.path)

    @property
    def init(self) -> str:
        """Return ``pretrained``."""
        return "pretrained"

    @property
    def fresh(self) -> bool:
        """Return False: the batch-norm statistics are those of the training."""
        return False

    def networks(self) -> Sequence[str]:
        """Refuse to list all networks of a space: the user has to choose some.

        Raises:
            SourceError: always.
        """
        raise SourceError("networks of an archive are chosen with --archs")

    def settings(self, network: str, seed: int | None) -> dict[str, Any]:
        """Return the names of the archive and the data set, and the hyper-parameters."""
        found = self.archive.settings(self.dataset, seed or 0, self.hp)
        # The seed has a column of its own in a key.
        return {"archive": {name: value for name, value in found.items() if name != "seed"}}

    def build(self, network: str, seed: int | None) -> nn.Module:
        """Return the network in eval mode."""
        return self.archive.network(self.space.parse(network), self.dataset, seed or 0, self.hp)
