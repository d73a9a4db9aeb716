"""Networks with random weights: ``random_network(space, genotype, seed, init)``."""

import math
from typing import Any

import torch
from torch import nn

from testbed.basis.errors import InputError
from testbed.basis.seeding import global_draws
from testbed.spaces.design import Design, designs
from testbed.spaces.names import INITIALISATIONS
from testbed.spaces.space import SearchSpace

__all__ = ["INITIALISATIONS", "initialise", "random_network"]

# The standard deviation by fan-in and fan-out, in torch's own order of operations.
SPREADS = {
    "kaiming": lambda fan_in, fan_out: math.sqrt(2.0) / math.sqrt(fan_out),
    "xavier": lambda fan_in, fan_out: math.sqrt(2.0 / float(fan_in + fan_out)),
}


def random_network(
    space: SearchSpace[Any],
    genotype: Any,
    seed: int,
    init: str = "random",
    *,
    classes: int = 10,
    in_channels: int = 3,
    **sizes: int,
) -> nn.Module:
    """Return the genotype's network with weights that depend on (name, init, seed) alone.

    Args:
        space: the search space.
        genotype: one of its genotypes.
        seed: the seed of the weights; each genotype draws its own from the same seed.
        init: ``random`` for the network's own initialisation, or one of `INITIALISATIONS`.
        classes: the number of logits.
        in_channels: the number of channels of the images.
        sizes: of the network, see `SearchSpace.sizes`.

    The weights are drawn on the CPU, so they are the same on every device; the global
    random state is left as it was.

    Raises:
        InputError: if the initialisation is unknown, or the space refuses the size.
    """
    if init not in INITIALISATIONS:
        raise InputError(
            f"unknown initialisation {init!r}; expected one of {', '.join(INITIALISATIONS)}"
        )
    sizes = {**space.sizes, **sizes}
    with global_draws("weights", init, space.name(genotype), seed):
        network = space.build(genotype, classes=classes, in_channels=in_channels, **sizes)
        if init != "random":
            initialise(network, init.removeprefix("random-"))
    if not designs(network):
        arguments = {**sizes, "classes": classes, "in_channels": in_channels}
        network.design = Design(space.key, genotype, arguments)  # type: ignore[assignment]
    return network


def initialise(module: nn.Module, scheme: str) -> None:
    """Redraw the weights of convolutions and linear layers in place, biases to zero.

    Args:
        module: any module; its batch norms keep weight 1 and bias 0.
        scheme: ``kaiming`` (normal, fan-out, gain of ReLU; He et al., ICCV 2015) or
            ``xavier`` (normal; Glorot and Bengio, AISTATS 2010).

    A fan counts the weights that meet in one unit: in a convolution of several groups, those of
    its group. (``torch.nn.init`` reads the fan-out off the shape (out, in / groups, k, k), as if
    an input fed all outputs: a depthwise kernel of C channels came out √C too small.)
    """
    for layer in module.modules():
        if not isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear):
            continue
        if scheme not in SPREADS:
            raise InputError(f"unknown scheme {scheme!r}; expected kaiming or xavier")
        with torch.no_grad():
            layer.weight.normal_(0, SPREADS[scheme](*_fans(layer)))
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def _fans(layer: Any) -> tuple[int, int]:
    """Return how many weights an output unit has, and an input unit, within a group."""
    outputs, inputs, *kernel = layer.weight.shape
    groups = getattr(layer, "groups", 1)  # a linear layer has none
    return inputs * math.prod(kernel), outputs // groups * math.prod(kernel)
