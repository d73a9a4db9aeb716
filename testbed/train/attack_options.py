"""The options of a training's attack: ``--adversarial``, ``--epsilon``, and those of its steps."""

from dataclasses import replace

from testbed.basis.errors import InputError
from testbed.basis.foreign_text import quoted
from testbed.basis.units import epsilon_of, in_pixels
from testbed.train.adversarial import adversarial_training
from testbed.train.recipe import Recipe

__all__ = ["attack_notes", "with_attack"]

NONE = "none"


def with_attack(
    recipe: Recipe, attack: str | None, epsilon: str | None, steps: int | None, size: str | None
) -> Recipe:
    """Return the recipe with the attack that the options name.

    Args:
        recipe: of a preset; its own attack stays where no other is named, with the options given.
        attack: ``pgd``, ``fgsm``, or ``none``; None leaves the recipe's.
        epsilon: in units of 1/255, ``8`` or ``8/255``.
        steps: of the attack.
        size: of a step, as ``epsilon``.

    Raises:
        InputError: if one cannot be read or is out of range, or there is no attack to be set.
    """
    radius, length = _level("--epsilon", epsilon), _level("--attack-step-size", size)
    before = recipe.adversarial
    name = before.attack if attack is None and before is not None else (attack or NONE).lower()
    if name == NONE:
        given = {"--epsilon": epsilon, "--attack-steps": steps, "--attack-step-size": size}
        if named := [option for option, value in given.items() if value is not None]:
            raise InputError(
                f"{', '.join(named)} is of an adversarial training: add --adversarial pgd or fgsm"
            )
        return replace(recipe, adversarial=None)
    if radius is None and before is not None:
        radius = before.epsilon
    return replace(recipe, adversarial=adversarial_training(name, radius, steps, length))


def attack_notes(recipe: Recipe) -> list[str]:
    """Return a note if ε looks like one of pixels in [0, 1]."""
    epsilon = 0.0 if recipe.adversarial is None else recipe.adversarial.epsilon
    if (meant := in_pixels(epsilon)) is None:
        return []
    return [
        f"note: ε is in units of 1/255, so that {epsilon:.3g} changes a pixel by "
        f"{epsilon / 255:.1g}: if {meant}/255 was meant, give {meant}"
    ]


def _level(option: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return epsilon_of(text)
    except ValueError:
        raise InputError(
            f"{option} is a number in units of 1/255, such as 8 or 8/255; got {quoted(text)}"
        ) from None
