"""One attack on one network over an ε grid: ``evaluate(network, images, labels, attack, ε)``."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from evaluation.attacks.base import Attack
from evaluation.attacks.draws import Draws
from evaluation.attacks.epsilons import check_epsilons, unit_notes
from evaluation.attacks.examples import Examples
from evaluation.attacks.judge import classes_of, predict
from evaluation.attacks.modes import MODES, Job
from evaluation.attacks.outcome import Level
from evaluation.attacks.sanity import grid_warnings, network_warnings
from evaluation.attacks.subject import subject
from evaluation.attacks.victim import LEAST_ROWS, Victim
from testbed.basis.errors import InputError
from testbed.networks.memory import in_parts

__all__ = ["Evaluation", "evaluate"]


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
            attack, ε and the seed. Batches that do not fit are halved.
        checks: whether to run the sanity checks.

    Raises:
        NetworkError: if the network, the images or the labels cannot be worked with; an image
            whose logits depend on its neighbours is such, and so are buffers that change.
        ValueError: if ε, the mode or the batch size make no sense, or the attack has no meaning
            for so few classes.
    """
    _check(mode, batch_size)
    check_epsilons(epsilons, attack.norm)
    with subject(network, images, labels) as asked:
        network = asked.network
        images, labels = images.detach().clone(), labels.clone()  # none of inference mode
        warnings = attack.notes(asked.classes) + unit_notes(epsilons)
        victim = Victim(network, images)
        correct = classes_of(predict(network, images, batch_size)) == labels
        if checks:
            warnings = warnings + network_warnings(network, victim, attack, images, labels, seed)

        def attacked(rows: slice) -> list[Level]:
            draws = Draws.of(images[rows], seed, attack.name, attack.norm)
            batch = Examples(victim, victim.arrange(images[rows]), labels[rows], draws)
            return Job(network, attack, batch, correct[rows], batch_size).run(mode, epsilons)

        # What looks at a batch as a whole must not be halved.
        least = LEAST_ROWS if attack.image_by_image else batch_size
        parts = list(in_parts(len(images), batch_size, attacked, least))
        levels = [Level.join(list(part)) for part in zip(*parts, strict=True)]
    doubts = grid_warnings(attack, levels, correct) if checks else []
    return Evaluation(correct, levels, warnings, warnings + doubts, victim.folded)


def _check(mode: str, batch_size: int) -> None:
    if mode not in MODES:
        raise InputError(f"unknown mode {mode!r}; there are {', '.join(MODES)}")
    if batch_size < 1:
        raise InputError(f"batches have at least 1 image; got {batch_size}")
