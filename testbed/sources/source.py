"""The interface of the places that networks come from."""

from collections.abc import Sequence
from typing import Any, Protocol

from torch import nn

from testbed.sources.errors import SourceError

__all__ = ["Source", "SourceError"]


class Source(Protocol):
    """A place that networks come from; it is picklable, so that workers build their own.

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
            SourceError: if they cannot be listed.
        """
        ...

    def settings(self, network: str, seed: int | None) -> dict[str, Any]:
        """Return what tells the weights apart beyond network, init and seed: for keys.

        A fingerprint, which differs from network to network, stands under ``weights``. All
        else is the same for networks that were made in the same way.
        """
        ...

    def build(self, network: str, seed: int | None) -> nn.Module:
        """Return the network in eval mode, from images (N, C, H, W) in [0, 1] to logits (N, K).

        Raises:
            ValueError: if the network is not available; the message says why.
        """
        ...
