"""Networks with random weights: ``random_network(genotype, seed, init)``."""

from testbed.basis.errors import InputError
from testbed.basis.foreign_text import described
from testbed.basis.seeding import global_draws
from testbed.spaces.nasbench201.weights import INITIALISATIONS, initialise
from testbed.spaces.size.genotype import Genotype
from testbed.spaces.size.network import Network

__all__ = ["INITIALISATIONS", "random_network"]


def random_network(
    genotype: Genotype,
    seed: int,
    init: str = "random",
    *,
    classes: int = 10,
    in_channels: int = 3,
) -> Network:
    """Return the genotype's network with weights that depend on (genotype, init, seed) alone.

    Args:
        genotype: the five widths.
        seed: the seed of the weights; each genotype draws its own from the same seed.
        init: ``random`` for the network's own initialisation (PyTorch's defaults, as NATS-Bench
            trains from), or one of `INITIALISATIONS`.
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
        network = Network(genotype, classes, in_channels)
        if init != "random":
            initialise(network, init.removeprefix("random-"))
    return network
