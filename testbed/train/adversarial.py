"""Adversarial training as a part of a recipe: on which attacked images a network is trained.

Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks", ICLR 2018: every
image of a step is replaced by the one that PGD finds in the ℓ∞ ball around it, from a random
start. Wong, Rice and Kolter, "Fast Is Better than Free", ICLR 2020: one step of 1.25 ε from a
random start, called FGSM.
"""

import math
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

from testbed.basis.errors import InputError, did_you_mean
from testbed.basis.foreign_text import described
from testbed.basis.ranges import Range

__all__ = ["ATTACKS", "DEFAULT_EPSILON", "AdversarialTraining", "adversarial_training"]

DEFAULT_EPSILON = 8.0
MOST_STEPS = 1_000
# Steps, and the size of one as a multiple of ε: 10 steps of 2/255 at 8/255, as in Rice, Wong and
# Kolter (ICML 2020) and Pang et al. (ICLR 2021); one of 1.25 ε (Wong, Rice and Kolter).
ATTACKS = MappingProxyType({"pgd": (10, 0.25), "fgsm": (1, 1.25)})
_EPSILON = Range("an ε above 0, to 255 (units of 1/255)", most=255)
_STEPS = Range(f"a number of steps, 1 to {MOST_STEPS:,}", least=1, most=MOST_STEPS, whole=True)


@dataclass(frozen=True)
class AdversarialTraining:
    """The attack that the images of every step are replaced by.

    Attributes:
        attack: ``pgd`` or ``fgsm``, each from a random start in the ℓ∞ ball.
        epsilon: radius of the ball, in units of 1/255.
        steps: gradient steps; of FGSM one.
        step_size: of a step, in units of 1/255.

    Raises:
        InputError: if a field is outside its range.
    """

    attack: str
    epsilon: float
    steps: int
    step_size: float

    def __post_init__(self) -> None:
        if self.attack not in ATTACKS:
            hint = did_you_mean(str(self.attack), ATTACKS)
            raise InputError(
                f"a network is trained against {' or '.join(ATTACKS)}; got "
                f"{described(self.attack)}{hint}"
            )
        for name, kind in (("epsilon", _EPSILON), ("steps", _STEPS), ("step_size", _EPSILON)):
            value = getattr(self, name)
            if not kind.holds(value) or value == 0:
                raise InputError(
                    f"{name} of an adversarial training is {kind.words}; got {described(value)}"
                )
        if self.attack == "fgsm" and self.steps != 1:
            raise InputError(f"FGSM is one step; got {self.steps}: take pgd for several")
        for name in ("epsilon", "step_size"):
            object.__setattr__(self, name, float(getattr(self, name)))

    @staticmethod
    def from_settings(settings: Any) -> "AdversarialTraining":
        """Return the training whose fields ``dataclasses.asdict`` gave.

        Raises:
            InputError: if a field is missing, unknown or outside its range.
        """
        names = {field.name for field in fields(AdversarialTraining)}
        if not isinstance(settings, dict) or set(settings) != names:
            raise InputError(
                f"an adversarial training has the fields {', '.join(sorted(names))}; got "
                f"{described(settings)}"
            )
        return AdversarialTraining(**settings)


def adversarial_training(
    attack: str,
    epsilon: float | None = None,
    steps: int | None = None,
    step_size: float | None = None,
) -> AdversarialTraining:
    """Return a training with the usual steps and step size where none are given.

    Args:
        attack: ``pgd``: 10 steps of ε/4; ``fgsm``: one of 1.25 ε.
        epsilon: in units of 1/255; 8 if not given.
        steps: instead of the usual number.
        step_size: instead of the usual one, in units of 1/255.

    Raises:
        InputError: if one is outside its range.
    """
    epsilon = DEFAULT_EPSILON if epsilon is None else epsilon
    usual = ATTACKS.get(attack, (1, 1.0))
    size = usual[1] * epsilon if step_size is None else step_size
    if step_size is None and math.isfinite(size):
        size = min(size, 255.0)
    return AdversarialTraining(attack, epsilon, usual[0] if steps is None else steps, size)
