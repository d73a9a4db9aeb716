"""Networks with random weights: ``random_network(genotype, seed, init)``."""

from typing import cast

from testbed.spaces import registry, weights
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.nasbench201.network import Network
from testbed.spaces.weights import INITIALISATIONS, initialise

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
    network = weights.random_network(
        registry.get("nasbench201"), genotype, seed, init, channels=channels, cells=cells,
        classes=classes, in_channels=in_channels,
    )  # fmt: skip
    return cast(Network, network)
