"""Networks with random weights: ``random_network(space, genotype, seed, init)``."""

from typing import Any

from torch import nn

from testbed.basis.errors import InputError
from testbed.basis.seeding import global_draws
from testbed.spaces.design import Design, designs
from testbed.spaces.names import INITIALISATIONS
from testbed.spaces.space import SearchSpace

__all__ = ["INITIALISATIONS", "initialise", "random_network"]


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
    """
    for layer in module.modules():
        if not isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear):
            continue
        if scheme == "kaiming":
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        elif scheme == "xavier":
            nn.init.xavier_normal_(layer.weight)
        else:
            raise InputError(f"unknown scheme {scheme!r}; expected kaiming or xavier")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
