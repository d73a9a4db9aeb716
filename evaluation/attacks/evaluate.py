"""One attack on one network over an ε grid: ``evaluate(network, images, labels, attack, ε)``."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from evaluation.attacks.base import Attack
from evaluation.attacks.draws import Draws
from evaluation.attacks.judge import predict
from evaluation.attacks.modes import MODES, Job
from evaluation.attacks.outcome import Level
from evaluation.attacks.sanity import grid_warnings, network_warnings
from evaluation.attacks.victim import Victim

__all__ = ["Evaluation", "evaluate", "in_eval_mode"]


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

    Args:
        network: images (N, C, H, W) in [0, 1] → logits (N, K); runs in eval mode and is left
            as it was.
        images: float32, on the network's device.
        labels: the true classes, (N,).
        attack: see `evaluation.attacks.registry.make`.
        epsilons: in units of 1/255, in ℓ2 too.
        mode: ``record``, ``accuracy`` or ``descending``; see `evaluation.attacks.modes`.
        seed: of the random draws.
        batch_size: memory only: an image's outcome depends on the image, the network, the
            attack, ε and the seed.
        checks: whether to run the sanity checks.

    Raises:
        ValueError: if the images, labels, ε or the mode make no sense.
        RuntimeError: if the network changes its buffers in eval mode.
    """
    _check(images, labels, epsilons, mode, batch_size)
    with in_eval_mode(network):
        victim = Victim(network, images)
        correct = predict(network, images, batch_size).argmax(1) == labels
        warnings = []
        if checks:
            warnings = network_warnings(network, victim, attack, images, labels, seed)
        parts: list[list[Level]] = []
        for rows in torch.arange(len(images), device=images.device).split(batch_size):
            batch = victim.arrange(images[rows])
            draws = Draws.of(images[rows], seed, attack.name, attack.norm)
            job = Job(
                network, victim, attack, batch, labels[rows], correct[rows], draws, batch_size
            )
            parts.append(job.run(mode, epsilons))
        levels = [Level.join(list(part)) for part in zip(*parts, strict=True)]
    doubts = grid_warnings(attack, levels, correct) if checks else []
    return Evaluation(correct, levels, warnings, warnings + doubts, victim.folded)


@contextmanager
def in_eval_mode(network: nn.Module) -> Iterator[None]:
    """Put every module into eval mode, and restore each one's mode afterwards.

    Raises:
        RuntimeError: if a buffer has another value in the end.
    """
    training = {module: module.training for module in network.modules()}
    buffers = {name: value.clone() for name, value in network.named_buffers()}
    network.eval()
    try:
        yield
        now = dict(network.named_buffers())
        changed = [
            name for name, value in buffers.items() if not torch.equal(value, now.get(name, value))
        ]
        if changed:
            raise RuntimeError(
                f"the network changed its buffers in eval mode ({', '.join(changed[:3])}), so its "
                "outputs depend on what it saw before: its accuracies would mean nothing"
            )
    finally:
        for module, mode in training.items():
            module.training = mode


def _check(
    images: Tensor, labels: Tensor, epsilons: Sequence[float], mode: str, batch_size: int
) -> None:
    if mode not in MODES:
        raise ValueError(f"unknown mode {mode!r}; there are {', '.join(MODES)}")
    if images.dim() != 4 or not images.is_floating_point() or not len(images):
        raise ValueError(
            f"images are (N, C, H, W) of floating point, N ≥ 1; got {tuple(images.shape)} "
            f"of {images.dtype}"
        )
    low, high = float(images.min()), float(images.max())
    if not (low >= 0 and high <= 1):
        raise ValueError(
            f"pixels are in [0, 1]; got {low:g} to {high:g}: divide by 255, and make "
            "normalisation a layer of the network"
        )
    if labels.shape != images.shape[:1] or labels.dtype != torch.int64:
        raise ValueError(
            f"labels are int64, one for each of the {len(images)} images; got "
            f"{tuple(labels.shape)} of {labels.dtype}"
        )
    if not epsilons or not all(0 <= epsilon < float("inf") for epsilon in epsilons):
        raise ValueError(f"ε are numbers from 0, in units of 1/255; got {list(epsilons)}")
    if batch_size < 1:
        raise ValueError(f"batches have at least 1 image; got {batch_size}")
