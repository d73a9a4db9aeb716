"""Signs in the outcomes of several attacks on one network that one of them failed."""

from collections.abc import Mapping

import numpy as np

from evaluation.truths.targets import Target

__all__ = ["cross_warnings"]

# Each attack searches more thoroughly than the one before.
STRENGTH = ("fgsm", "pgd", "apgd-ce")
GRADIENT, SQUARE = "apgd-ce", "square"
SLACK = 0.005  # of accuracy: random starts alone move single images


def cross_warnings(robust: Mapping[Target, np.ndarray]) -> dict[Target, list[str]]:
    """Return warnings, each at the attack and ε that look too weak.

    Args:
        robust: by attack and ε, on one network, which of the same images resisted, (N,) bool.
    """
    found: dict[Target, list[str]] = {}
    for target, stood in robust.items():
        if target.name in STRENGTH[1:]:
            weaker = STRENGTH[STRENGTH.index(target.name) - 1]
            simpler = Target(weaker, target.norm, target.level)
            other = robust.get(simpler)
            if other is not None and stood.mean() > other.mean() + SLACK:
                found.setdefault(target, []).append(
                    f"weaker than {simpler.measure} at ε = {target.level:g}: leaves "
                    f"{stood.mean():.1%} right, that one {other.mean():.1%}"
                )
        square = robust.get(Target(SQUARE, target.norm, target.level))
        missed = 0 if square is None else int((stood & ~square).sum())
        if target.name == GRADIENT and missed:
            found.setdefault(target, []).append(
                f"{missed} of {len(stood)} images resist at ε = {target.level:g} but fall to "
                "Square, which needs no gradients: are they masked?"
            )
    return found
