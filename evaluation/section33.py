"""The 408 networks of section 3.3 of the paper, which differ in topology alone.

Jung, Lukasik and Keuper, ICLR 2023, ask what topology does at one size: the networks with
exactly two 3×3 convolutions and no 1×1 convolution. The recipe that gives their number and
their range of accuracies counts live edges alone, those on a path from the input to the
output, and takes the unweighted mean over every attack and ε, FGSM at ε = 255 included.
"""

from collections.abc import Iterable

import pandas as pd

from evaluation.ground_truth import TruthError
from testbed.nasbench201.genotype import Genotype

__all__ = ["is_chosen", "mean_adversarial_accuracy"]


def is_chosen(genotype: Genotype) -> bool:
    """Say whether two of the live edges are 3×3 convolutions and none is a 1×1 convolution."""
    live = [genotype.operations[edge] for edge in genotype.live_edges()]
    return live.count("nor_conv_3x3") == 2 and live.count("nor_conv_1x1") == 0


def mean_adversarial_accuracy(targets: pd.DataFrame) -> pd.Series:
    """Return the mean adversarial accuracy of the chosen networks by id, the best first.

    On the published CIFAR-10 accuracies these are 408 networks from .3991 down to .2113.

    Args:
        targets: by published id, as :meth:`evaluation.ground_truth.Truth.targets` returns it.

    Raises:
        TruthError: if the targets have no mean adversarial accuracy.
    """
    if "mean adversarial" not in targets:
        there = ", ".join(map(str, targets.columns[:6])) or "none"
        raise TruthError(f"section 3.3 needs attacks in the truth; its targets are {there}")
    means = targets.loc[_chosen(targets.index), "mean adversarial"]
    return means.sort_values(ascending=False, kind="stable")


def _chosen(ids: Iterable[int]) -> list[int]:
    return [number for number in ids if is_chosen(Genotype.from_index(number))]
