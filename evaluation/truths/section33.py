"""The 408 networks of section 3.3 of the paper, and the most robust of them.

Jung, Lukasik and Keuper, ICLR 2023: networks with exactly two 3×3 and no 1×1 convolutions, so
that (nearly) only where the convolutions stand tells them apart. Edges count that are live:
whose source is reached from the input and whose target reaches the output. The mean
adversarial accuracy is the unweighted mean over all attacks and ε, FGSM at 255 included; over
the published 408 it ranges from 0.2113 to 0.3991.
"""

from collections import Counter
from functools import cache

import pandas as pd

from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.nasbench201.isomorphism import unique_ids

__all__ = ["TARGET", "is_chosen", "section33", "section33_ids", "top"]

TARGET = "mean adversarial"


@cache
def section33_ids() -> tuple[int, ...]:
    """Return the ids of all unique networks with two 3×3 and no 1×1 live convolutions."""
    return tuple(index for index in unique_ids() if is_chosen(Genotype.from_index(index)))


def section33(targets: pd.DataFrame) -> pd.Series | None:
    """Return the mean adversarial accuracies of the networks of section 3.3, best first.

    Args:
        targets: the accuracies, see :meth:`~evaluation.truths.published.Truth.targets`.

    Returns:
        The accuracies by id; of equal ones the lower id comes first. None if the truth lacks
        one of the 408 networks or their mean adversarial accuracy.
    """
    ids = list(section33_ids())
    if TARGET not in targets or not set(ids) <= set(targets.index):
        return None
    means = targets.loc[ids, TARGET]
    return None if means.isna().any() else means.sort_values(ascending=False, kind="stable")


def top(means: pd.Series, count: int = 20) -> list[tuple[Genotype, float]]:
    """Return the first networks of a series such as :func:`section33` returns."""
    first = means.iloc[:count]
    return [(Genotype.from_index(int(i)), float(mean)) for i, mean in first.items()]  # type: ignore[arg-type]


def is_chosen(genotype: Genotype) -> bool:
    """Say whether two of the live edges are 3×3 convolutions and none is a 1×1 convolution."""
    counts = Counter(genotype.operations[edge] for edge in genotype.live_edges())
    return counts["nor_conv_3x3"] == 2 and counts["nor_conv_1x1"] == 0
