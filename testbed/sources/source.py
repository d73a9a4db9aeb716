"""What every command asks of the place its networks come from."""

from collections.abc import Sequence
from typing import Any, Protocol

from torch import nn

from testbed.errors import ToolkitError

__all__ = ["Source", "SourceError"]


class SourceError(ToolkitError):
    """Networks that were asked for and cannot be had."""


class Source(Protocol):
    """Hands out ready networks; picklable, so that workers can build their own.

    Attributes:
        init: where the weights come from, as it stands in the keys of results: ``random``,
            ``trained``, ``pretrained``, ``own``.
        fresh: whether the batch-norm statistics are those of an initialisation.
    """

    @property
    def init(self) -> str: ...  # noqa: D102

    @property
    def fresh(self) -> bool: ...  # noqa: D102

    def networks(self) -> Sequence[str]:
        """Return the names of all networks there are, where they can be listed.

        Raises:
            SourceError: where they cannot.
        """
        ...

    def settings(self, network: str, seed: int | None) -> dict[str, Any]:
        """Return what tells the weights apart beyond network, init and seed: for keys.

        What differs from network to network, a fingerprint, stands under ``weights``; all
        else is the same for networks that were made alike.
        """
        ...

    def build(self, network: str, seed: int | None) -> nn.Module:
        """Return the network in eval mode: images (N, C, H, W) in [0, 1] → logits (N, K).

        Raises:
            ValueError: if it cannot be had, with the reason.
        """
        ...
