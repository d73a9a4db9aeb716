"""Optuna's tree-structured Parzen estimator through its own sampler (``pip install optuna``).

Bergstra, Bardenet, Bengio and Kégl, "Algorithms for Hyper-Parameter Optimization", NIPS 2011;
Akiba et al., "Optuna: A Next-generation Hyperparameter Optimization Framework", KDD 2019.
"""

import math
import random
from typing import Any

from evaluation.search.base import Ask
from evaluation.search.space import Space
from testbed.basis.errors import ToolkitError

__all__ = ["ExtraMissingError", "load_optuna", "tpe"]


class ExtraMissingError(ToolkitError):
    """Optuna is not installed."""


def load_optuna() -> Any:
    """Return the module ``optuna``, with its log of every trial switched off.

    Raises:
        ExtraMissingError: if it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise ExtraMissingError(
            "this needs Optuna: pip install 'robustness-proxies[optuna]' (or pip install optuna)"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def tpe(space: Space, ask: Ask, source: random.Random) -> None:
    """Ask for what the sampler suggests, its settings being Optuna's own.

    A suggestion outside the pool is reported to the sampler as pruned. The value of a
    suggestion that was asked for before is reported again: the sampler has no other way to
    learn that it repeats itself.

    Raises:
        ExtraMissingError: if Optuna is not installed.
    """
    optuna = load_optuna()
    sampler = optuna.samplers.TPESampler(seed=source.getrandbits(32))
    study = optuna.create_study(direction="maximize", sampler=sampler)
    known = None if space.members is None else frozenset(space.members)
    places = {name: range(len(options)) for name, options in space.choices.items()}
    while True:
        trial = study.ask()
        picks = {name: trial.suggest_categorical(name, places[name]) for name in places}
        options = {name: space.choices[name][place] for name, place in picks.items()}
        candidate = space.candidate(options)
        value = -math.inf if known is not None and candidate not in known else ask(candidate)
        if value == -math.inf:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            study.tell(trial, value)
