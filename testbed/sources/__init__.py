"""Where networks come from: random, trained, pretrained, or a user's own."""

from testbed.sources.choice import INITS, Choice, chosen_networks
from testbed.sources.own import OwnSource
from testbed.sources.pretrained import PretrainedSource
from testbed.sources.random import RandomSource
from testbed.sources.source import Source, SourceError
from testbed.sources.trained import TrainedSource

__all__ = [
    "INITS",
    "Choice",
    "OwnSource",
    "PretrainedSource",
    "RandomSource",
    "Source",
    "SourceError",
    "TrainedSource",
    "chosen_networks",
]
