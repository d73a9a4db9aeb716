"""One attack on one network over an ε grid: ``evaluate(network, images, labels, attack, ε)``."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from evaluation.attacks.base import Attack
from evaluation.attacks.draws import Draws
from evaluation.attacks.examples import Examples
from evaluation.attacks.judge import classes_of, predict
from evaluation.attacks.modes import MODES, Job
from evaluation.attacks.outcome import Level
from evaluation.attacks.sanity import grid_warnings, network_warnings
from evaluation.attacks.subject import subject
from evaluation.attacks.victim import Victim
from testbed.basis.errors import InputError

__all__ = ["Evaluation", "evaluate"]

LEAST = 0.1  # the smallest published ε


@dataclass(frozen=True)
class Evaluation:
    """How a network fares against one attack.

    Attributes:
        correct: (N,) bool, whether the clean image is classified correctly.
        levels: the outcome at each ε, in the order asked for.
        network_warnings: what is suspicious about the network, in words.
        warnings: these, and what is suspicious about the outcomes.
        folded: whether the attack ran on a copy with folded batch norms.
    """

    correct: Tensor
    levels: list[Level]
    network_warnings: list[str]
    warnings: list[str]
    folded: bool


def evaluate(
    network: nn.Module, images: Tensor, labels: Tensor, attack: Attack,
    epsilons: Sequence[float], *, mode: str = "record", seed: int = 0, batch_size: int = 250,
    checks: bool = True,
) -> Evaluation:  # fmt: skip
    """Attack a network at each ε and judge the results.

    The modes of the caller (``no_grad``, ``inference_mode``, ``autocast``) do not matter.

    Args:
        network: images (N, C, H, W) in [0, 1] → logits (N, K); runs in eval mode and is left
            as it was.
        images: float32 or float64, on the network's device.
        labels: the true classes, (N,).
        attack: see `evaluation.attacks.registry.make`.
        epsilons: in units of 1/255, in ℓ2 too.
        mode: ``record``, ``accuracy`` or ``descending``; see `evaluation.attacks.modes`.
        seed: of the random draws.
        batch_size: memory only: an image's outcome depends on the image, the network, the
            attack, ε and the seed.
        checks: whether to run the sanity checks.

    Raises:
        NetworkError: if the network, the images or the labels cannot be worked with; an image
            whose logits depend on its neighbours is such, and so are buffers that change.
        ValueError: if ε, the mode or the batch size make no sense, or the attack has no meaning
            for so few classes.
    """
    _check(epsilons, mode, batch_size, attack.norm)
    with subject(network, images, labels) as asked:
        network = asked.network
        images, labels = images.detach().clone(), labels.clone()  # none of inference mode
        warnings = attack.notes(asked.classes) + _unit_notes(epsilons)
        victim = Victim(network, images)
        correct = classes_of(predict(network, images, batch_size)) == labels
        if checks:
            warnings = warnings + network_warnings(network, victim, attack, images, labels, seed)
        parts: list[list[Level]] = []
        for rows in torch.arange(len(images), device=images.device).split(batch_size):
            draws = Draws.of(images[rows], seed, attack.name, attack.norm)
            batch = Examples(victim, victim.arrange(images[rows]), labels[rows], draws)
            job = Job(network, attack, batch, correct[rows], batch_size)
            parts.append(job.run(mode, epsilons))
        levels = [Level.join(list(part)) for part in zip(*parts, strict=True)]
    doubts = grid_warnings(attack, levels, correct) if checks else []
    return Evaluation(correct, levels, warnings, warnings + doubts, victim.folded)


def _unit_notes(epsilons: Sequence[float]) -> list[str]:
    """Return a note if an ε looks like one of pixels in [0, 1]: those of RobustBench do."""
    small = [epsilon for epsilon in epsilons if 0 < epsilon < LEAST]
    if not small:
        return []
    return [
        f"note: ε is in units of 1/255, so that {small[0]:.3g} changes a pixel by "
        f"{small[0] / 255:.1g}: if {255 * small[0]:.3g}/255 was meant, give {255 * small[0]:.3g}"
    ]


def _check(epsilons: Sequence[float], mode: str, batch_size: int, norm: str) -> None:
    if mode not in MODES:
        raise InputError(f"unknown mode {mode!r}; there are {', '.join(MODES)}")
    if not epsilons or not all(0 <= epsilon < float("inf") for epsilon in epsilons):
        raise InputError(f"ε are numbers from 0, in units of 1/255; got {list(epsilons)}")
    if norm == "Linf" and max(epsilons) > 255:
        raise InputError(
            f"ε is in units of 1/255, and pixels are in [0, 1]: at most 255; got {max(epsilons):g}"
        )
    if batch_size < 1:
        raise InputError(f"batches have at least 1 image; got {batch_size}")
