"""Attacks on networks, and their judge: ``evaluate(network, images, labels, attack, ε)``.

What needs torch is imported when it is asked for: the records of the attacks do not.
"""

from typing import TYPE_CHECKING

from evaluation.attacks.names import ATTACKS, AttackRecord, register
from testbed.basis.lazy import attributes

if TYPE_CHECKING:
    from evaluation.attacks.base import Attack
    from evaluation.attacks.evaluation import Evaluation, evaluate
    from evaluation.attacks.modes import MODES
    from evaluation.attacks.norms import ball
    from evaluation.attacks.outcome import Level
    from evaluation.attacks.registry import make
    from evaluation.attacks.settings import choice, count, flag, number

__all__ = [
    "ATTACKS", "MODES", "Attack", "AttackRecord", "Evaluation", "Level", "ball", "choice", "count",
    "evaluate", "flag", "make", "number", "register",
]  # fmt: skip

__getattr__ = attributes(
    __name__,
    {
        "Attack": "evaluation.attacks.base",
        "Evaluation": "evaluation.attacks.evaluation",
        "Level": "evaluation.attacks.outcome",
        "MODES": "evaluation.attacks.modes",
        "evaluate": "evaluation.attacks.evaluation",
        "make": "evaluation.attacks.registry",
        "ball": "evaluation.attacks.norms",
        **dict.fromkeys(("choice", "count", "flag", "number"), "evaluation.attacks.settings"),
    },
)
