"""Signs that robust accuracies are not what they seem, as sentences for the result.

Carlini et al., "On Evaluating Adversarial Robustness", 2019, and the checks of AutoAttack
(Croce and Hein, ICML 2020): a defence that hides its gradients, answers at random or returns
probabilities looks robust and is not.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from evaluation.attacks.base import Attack
from evaluation.attacks.draws import Draws
from evaluation.attacks.examples import Examples
from evaluation.attacks.judge import classes_of, predict
from evaluation.attacks.losses import cross_entropy
from evaluation.attacks.outcome import Level
from evaluation.attacks.pgd import PGD
from evaluation.attacks.victim import LEAST_ROWS, Victim, pad
from testbed.networks.independence import by_how_much, relative_change
from testbed.networks.memory import in_parts

__all__ = ["count_warnings", "grid_warnings", "network_warnings"]

PROBE = 64  # images that the checks of a network look at
HUGE = 128.0  # ε in units of 1/255: nothing of the image need remain
FEW = 0.01  # of images, up to which chance explains what an attack missed
BLIND = "attacks by gradients of the cross-entropy cannot move them; Square needs none"
DOUBTFUL = {
    "outside": "proposals left the ball or the box and were cut",
    "not finite": "proposals were not finite and were dropped",
    "undefined": "images gave logits that are not finite numbers, and count as wrong",
    "audit broke": "images inferred to be robust fell in the audit",
}
SHARE = 0.05  # of images, above which a doubtful event is reported


def network_warnings(
    network: nn.Module, victim: Victim, attack: Attack, images: Tensor, labels: Tensor, seed: int
) -> list[str]:
    """Return what is suspicious about a network, as far as an attack's kind is concerned."""
    probe, classes = images[:PROBE], labels[:PROBE]
    warnings = []
    with torch.no_grad():
        first, second = (_over(probe, lambda part: network(pad(part).clone())) for _ in range(2))
    change = relative_change(second, first)
    if change:
        warnings.append(
            "random outputs: the logits of the same images differ between two passes "
            f"{by_how_much(change)}; robust accuracies are then too high"
        )
    if bool((first >= 0).all()) and torch.allclose(first.sum(1), torch.ones(()).to(first)):
        warnings.append(
            "outputs are probabilities, not logits: softmax hides gradients; attack the layer "
            "before it"
        )
    if not attack.uses_gradients:
        return warnings
    if victim.no_gradient is not None:
        return [*warnings, f"zero gradients ({victim.no_gradient}): {BLIND}"]

    def gradient_of(part: Tensor, own: Tensor) -> Tensor:
        return victim.gradient(victim.arrange(part), own, cross_entropy)[2]

    gradient = _over(probe, gradient_of, classes)
    flat = float((gradient == 0).flatten(1).all(1).double().mean())
    if flat > SHARE:
        warnings.append(f"zero gradients for {flat:.0%} of {len(probe)} clean images: {BLIND}")
    if attack.iterative:
        warnings += _huge(victim, probe, classes, seed)
    return warnings


def _over(images: Tensor, work: Callable[..., Tensor], *others: Tensor) -> Tensor:
    """Return the work on images and what belongs to them, in as large parts as memory allows."""
    parts = in_parts(
        len(images), PROBE, lambda rows: work(*(one[rows] for one in (images, *others))), LEAST_ROWS
    )
    return torch.cat(list(parts))


def grid_warnings(attack: Attack, levels: Sequence[Level], correct: Tensor) -> list[str]:
    """Return what is suspicious about one attack's outcomes over its ε grid."""
    warnings = _monotone(attack, levels)
    wrong = int((~correct).sum())
    if wrong:
        warnings.append(
            f"note: {wrong} of {len(correct)} clean images are misclassified and count as not "
            "robust at every ε"
        )
    return warnings + count_warnings(levels)


def count_warnings(levels: Sequence[Level]) -> list[str]:
    """Return what the judge and the mode counted that ought not to happen."""
    return [
        f"{total} {meaning}"
        for name, meaning in DOUBTFUL.items()
        if (total := sum(level.counts.get(name, 0) for level in levels))
    ]


def _monotone(attack: Attack, levels: Sequence[Level]) -> list[str]:
    ordered = sorted(levels, key=lambda level: level.epsilon)
    fallen, risen = torch.zeros_like(ordered[0].robust), 0
    for level in ordered:
        risen = max(risen, int((fallen & level.robust).sum()))
        fallen = fallen | ~level.robust
    if not risen:
        return []
    # A single step is not meant to be monotone; a random search misses single images.
    kind = "" if attack.iterative and risen > FEW * len(fallen) else "note: "
    return [
        f"{kind}not monotone in ε: up to {risen} of {len(fallen)} images are broken at some ε and "
        "resist at a larger one"
    ]


def _huge(victim: Victim, images: Tensor, labels: Tensor, seed: int) -> list[str]:
    def moved(part: Tensor, own: Tensor) -> Tensor:
        batch = Examples(victim, victim.arrange(part), own, Draws.of(part, seed, "huge"))
        return PGD(steps=10, step_divisor=4.0).propose(batch, HUGE / 255, stop_early=True)

    attacked = _over(images, moved, labels)
    right = classes_of(predict(victim.network, attacked, PROBE)) == labels
    accuracy = float(right.double().mean())
    chance = 1 / victim.classes
    if accuracy <= chance + 3 * (chance * (1 - chance) / len(images)) ** 0.5:
        return []
    return [
        f"at ε = {HUGE:g}/255 ten steps of PGD leave {accuracy:.0%} of {len(images)} images right, "
        f"more than chance ({chance:.0%}): gradients do not lead the attack"
    ]
