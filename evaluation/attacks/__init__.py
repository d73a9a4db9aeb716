"""Attacks on networks, and their judge: ``evaluate(network, images, labels, attack, ε)``."""

from evaluation.attacks.base import Attack
from evaluation.attacks.evaluate import Evaluation, evaluate
from evaluation.attacks.modes import MODES
from evaluation.attacks.outcome import Level
from evaluation.attacks.registry import ATTACKS, make

__all__ = ["ATTACKS", "MODES", "Attack", "Evaluation", "Level", "evaluate", "make"]
