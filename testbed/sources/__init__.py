"""Where networks come from: random, trained, pretrained, or a user's own."""

from typing import TYPE_CHECKING

from testbed.basis.lazy import attributes
from testbed.sources.names import INITS

if TYPE_CHECKING:
    from testbed.sources.choice import Choice, chosen_networks
    from testbed.sources.errors import SourceError
    from testbed.sources.own import OwnSource
    from testbed.sources.pretrained import PretrainedSource
    from testbed.sources.random import RandomSource
    from testbed.sources.source import Source
    from testbed.sources.trained import TrainedSource

__all__ = [
    "INITS", "Choice", "OwnSource", "PretrainedSource", "RandomSource", "Source", "SourceError",
    "TrainedSource", "chosen_networks",
]  # fmt: skip

__getattr__ = attributes(
    __name__,
    {
        "Choice": "testbed.sources.choice",
        "chosen_networks": "testbed.sources.choice",
        "OwnSource": "testbed.sources.own",
        "PretrainedSource": "testbed.sources.pretrained",
        "RandomSource": "testbed.sources.random",
        "Source": "testbed.sources.source",
        "SourceError": "testbed.sources.errors",
        "TrainedSource": "testbed.sources.trained",
    },
)
