"""Signs in the outcomes of several attacks on one network that one of them failed."""

import math
from collections.abc import Iterator, Mapping

import numpy as np

from evaluation.attacks.names import ATTACKS
from evaluation.attacks.record import THOROUGH
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
    """Each attack searches more thoroughly than those of less strength by their records."""
    strength = _strength(target)
    simpler = [
        other for other in robust
        if (other.norm, other.level) == (target.norm, target.level) and _strength(other) < strength
    ]  # fmt: skip
    if not simpler:
        return
    # What found most; of several the strongest.
    best = min(simpler, key=lambda other: (robust[other].mean(), -_strength(other)))
    share, other = robust[target].mean(), robust[best].mean()
    if share > other + SLACK:
        yield (
            f"weaker than {best.measure} at ε = {target.level:g}: leaves {share:.1%} right, "
            f"that one {other:.1%}"
        )


def _masked(target: Target, robust: Robust) -> Iterator[str]:
    """A thorough attack is not meant to miss what one without gradients finds."""
    record = ATTACKS.get(target.name)
    if record is None or not record.gradients or _strength(target) < THOROUGH:
        return
    for record in ATTACKS.values():
        blind = Target(record.name, target.norm, target.level)
        if record.gradients or blind not in robust:
            continue
        stood = robust[target]
        if missed := int((stood & ~robust[blind]).sum()):
            yield (
                f"{missed} of {len(stood)} images resist at ε = {target.level:g} but fall to "
                f"{record.title}, which needs no gradients: are they masked?"
            )


def _strength(target: Target) -> float:
    """Return the place of an attack among those that are compared; NaN if it takes no part."""
    record = ATTACKS.get(target.name)
    return math.nan if record is None or record.strength is None else float(record.strength)
