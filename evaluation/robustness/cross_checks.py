"""Signs in the outcomes of several attacks on one network that one of them failed."""

from collections.abc import Mapping

import numpy as np

__all__ = ["cross_warnings"]

# Each attack searches more thoroughly than the one before.
STRENGTH = ("fgsm", "pgd", "aa_apgd-ce")
GRADIENT, SQUARE = "aa_apgd-ce", "aa_square"
SLACK = 0.005  # of accuracy: random starts alone move single images


def cross_warnings(
    robust: Mapping[tuple[str, float], np.ndarray],
) -> dict[tuple[str, float], list[str]]:
    """Return warnings by (key, ε), each at the attack that looks too weak.

    Args:
        robust: by the published key (``fgsm@Linf``) and ε of each attack on one network, which
            of the same images resisted, (N,) bool.
    """
    found: dict[tuple[str, float], list[str]] = {}
    for (key, epsilon), stood in robust.items():
        name, _, norm = key.partition("@")
        if name in STRENGTH[1:]:
            weaker = STRENGTH[STRENGTH.index(name) - 1]
            other = robust.get((f"{weaker}@{norm}", epsilon))
            if other is not None and stood.mean() > other.mean() + SLACK:
                found.setdefault((key, epsilon), []).append(
                    f"weaker than {weaker}@{norm} at ε = {epsilon:g}: leaves {stood.mean():.1%} "
                    f"right, that one {other.mean():.1%}"
                )
        square = robust.get((f"{SQUARE}@{norm}", epsilon))
        if name == GRADIENT and square is not None and (missed := int((stood & ~square).sum())):
            found.setdefault((key, epsilon), []).append(
                f"{missed} of {len(stood)} images resist at ε = {epsilon:g} but fall to Square, "
                "which needs no gradients: are they masked?"
            )
    return found
