"""Networks with random weights: ``random_network(genotype, seed, init)``."""

from torch import nn

from testbed.basis.errors import InputError
from testbed.basis.seeding import global_draws
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.nasbench201.names import INITIALISATIONS
from testbed.spaces.nasbench201.network import Network

__all__ = ["INITIALISATIONS", "initialise", "random_network"]


def random_network(
    genotype: Genotype,
    seed: int,
    init: str = "random",
    *,
    channels: int = 16,
    cells: int = 5,
    classes: int = 10,
    in_channels: int = 3,
) -> Network:
    """Return the genotype's network with weights that depend on (genotype, init, seed) alone.

    Args:
        genotype: the cell.
        seed: the seed of the weights; each genotype draws its own from the same seed.
        init: ``random`` for the network's own initialisation (PyTorch's defaults, as
            NAS-Bench-201 trains from), or one of `INITIALISATIONS`.
        channels: C, the width of the first stage.
        cells: N, the cells in a stage.
        classes: the number of logits.
        in_channels: the number of channels of the images.

    The weights are drawn on the CPU, so they are the same on every device; the global
    random state is left as it was.
    """
    if init not in INITIALISATIONS:
        raise InputError(
            f"unknown initialisation {init!r}; expected one of {', '.join(INITIALISATIONS)}"
        )
    with global_draws("weights", init, genotype, seed):
        network = Network(genotype, channels, cells, classes, in_channels)
        if init != "random":
            initialise(network, init.removeprefix("random-"))
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
