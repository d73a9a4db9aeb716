"""A network of the zoo with its batch, its statistics and its oracle."""

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from tests.zoo.architectures import CLASSES, Architecture
from tests.zoo.oracle import Oracle, calibrate

__all__ = ["Case", "case", "fingerprint"]

IMAGES = 4


@dataclass(frozen=True, eq=False)
class Case:
    """What the tests of one architecture share.

    Attributes:
        fresh: the network in float32 as it was built, statistics of batch norms untouched.
        network: the same with the oracle's statistics of the batch, rounded to float32.
        images: (4, 3, H, W) float32.
        labels: (4,) what the network says of the images, but for the last one.
        oracle: of ``network``.
    """

    fresh: nn.Module
    network: nn.Module
    images: Tensor
    labels: Tensor
    oracle: Oracle

    @property
    def normalised(self) -> bool:
        """Whether there is a batch norm."""
        return any(isinstance(layer, _BatchNorm) for layer in self.network.modules())


def case(architecture: Architecture) -> Case:
    """Return the case of an architecture, or skip the test without its library."""
    fresh = architecture.build()
    source = torch.Generator().manual_seed(0)
    images = torch.rand(IMAGES, 3, architecture.pixels, architecture.pixels, generator=source)
    exact = deepcopy(fresh).double()
    calibrate(exact, images.double())
    network = deepcopy(fresh)
    network.load_state_dict(exact.state_dict())
    with torch.no_grad():
        labels = exact(images.double()).argmax(1)
    labels[-1] = (labels[-1] + 1) % CLASSES
    return Case(fresh, network, images, labels, Oracle(network, images, labels))


def fingerprint(network: nn.Module) -> list[object]:
    """Return what must not change in a network, as a list that can be compared."""
    state = [(name, value.double().sum().item()) for name, value in network.state_dict().items()]
    modes = [layer.training for layer in network.modules()]
    return [state, modes, [parameter.requires_grad for parameter in network.parameters()]]
