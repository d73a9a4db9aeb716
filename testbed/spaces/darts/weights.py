"""Networks with random weights: ``random_network(genotype, seed, init)``."""

from testbed.basis.errors import InputError
from testbed.basis.foreign_text import described
from testbed.basis.seeding import global_draws
from testbed.spaces.darts.genotype import Genotype
from testbed.spaces.darts.network import Network
from testbed.spaces.nasbench201.weights import INITIALISATIONS, initialise

__all__ = ["INITIALISATIONS", "random_network"]


def random_network(
    genotype: Genotype,
    seed: int,
    init: str = "random",
    *,
    width: int = 16,
    depth: int = 8,
    classes: int = 10,
    in_channels: int = 3,
) -> Network:
    """Return the genotype's network with weights that depend on (genotype, init, seed) alone.

    Args:
        genotype: the two cells; equal genotypes give one network, that of the canonical order.
        seed: the seed of the weights; each genotype draws its own from the same seed.
        init: ``random`` for the network's own initialisation (PyTorch's defaults, as DARTS
            trains from), or one of `INITIALISATIONS`.
        width: C, the channels of a node of the first cells.
        depth: the number of cells.
        classes: the number of logits.
        in_channels: the number of channels of the images.

    The weights are drawn on the CPU, so they are the same on every device; the global
    random state is left as it was.
    """
    if init not in INITIALISATIONS:
        raise InputError(
            f"unknown initialisation {described(init)}; "
            f"expected one of {', '.join(INITIALISATIONS)}"
        )
    with global_draws("weights", init, genotype.name, seed):
        network = Network(genotype.canonical, width, depth, classes, in_channels)
        if init != "random":
            initialise(network, init.removeprefix("random-"))
    return network
