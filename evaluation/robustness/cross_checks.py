"""Signs in the outcomes of several attacks on one network that one of them failed."""

from collections.abc import Iterator, Mapping
from itertools import pairwise

import numpy as np

from evaluation.attacks.names import ATTACKS, by_strength
from evaluation.truths.targets import Target

__all__ = ["cross_warnings"]

Robust = Mapping[Target, np.ndarray]
SLACK = 0.005  # of accuracy: random starts alone move single images


def cross_warnings(robust: Robust) -> dict[Target, list[str]]:
    """Return warnings, each at the attack and ε that look too weak.

    Args:
        robust: by attack and ε, on one network, which of the same images resisted, (N,) bool.
    """
    found: dict[Target, list[str]] = {}
    for target in robust:
        warnings = [*_weaker(target, robust), *_masked(target, robust)]
        if warnings:
            found[target] = warnings
    return found


def _weaker(target: Target, robust: Robust) -> Iterator[str]:
    """Each attack searches more thoroughly than the one before."""
    for weaker, record in pairwise(by_strength()):
        simpler = Target(weaker.name, target.norm, target.level)
        if record.name != target.name or simpler not in robust:
            continue
        share, other = robust[target].mean(), robust[simpler].mean()
        if share > other + SLACK:
            yield (
                f"weaker than {simpler.measure} at ε = {target.level:g}: leaves {share:.1%} right, "
                f"that one {other:.1%}"
            )


def _masked(target: Target, robust: Robust) -> Iterator[str]:
    """The strongest attack is not meant to miss what one without gradients finds."""
    *_, strongest = by_strength()
    for record in ATTACKS.values():
        blind = Target(record.name, target.norm, target.level)
        if target.name != strongest.name or record.gradients or blind not in robust:
            continue
        stood = robust[target]
        if missed := int((stood & ~robust[blind]).sum()):
            yield (
                f"{missed} of {len(stood)} images resist at ε = {target.level:g} but fall to "
                f"{record.title}, which needs no gradients: are they masked?"
            )
