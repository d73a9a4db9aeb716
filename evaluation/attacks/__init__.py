"""Attacks on networks, and their judge: ``evaluate(network, images, labels, attack, ε)``.

What needs torch is imported when it is asked for: the records of the attacks do not.
"""

import importlib
from typing import TYPE_CHECKING, Any

from evaluation.attacks.names import ATTACKS

if TYPE_CHECKING:
    from evaluation.attacks.base import Attack
    from evaluation.attacks.evaluation import Evaluation, evaluate
    from evaluation.attacks.modes import MODES
    from evaluation.attacks.outcome import Level
    from evaluation.attacks.registry import make

__all__ = ["ATTACKS", "MODES", "Attack", "Evaluation", "Level", "evaluate", "make"]

_WHERE = {
    "Attack": "base",
    "Evaluation": "evaluation",
    "Level": "outcome",
    "MODES": "modes",
    "evaluate": "evaluation",
    "make": "registry",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
