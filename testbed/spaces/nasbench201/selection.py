"""The choice of architectures by the words of ``--archs``."""

from testbed.spaces import registry
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.nasbench201.names import SELECTION_HELP

__all__ = ["SELECTION_HELP", "select"]


def select(words: str) -> list[Genotype]:
    """Return the architectures that ``words`` name, each once, in the order named.

    Raises:
        GenotypeError: if a word names no architecture; the message says what is possible.
    """
    return registry.get("nasbench201").select(words)
