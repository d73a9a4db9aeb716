"""Proxies for searches: the one module of ``evaluation`` that imports ``proxies``.

A proxy scores an untrained network. Here it becomes a plain function of a network for any NAS
library, a function of an Optuna trial, or what a searcher of `evaluation.search` asks for in
a space of your own.
"""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

import proxies
from evaluation.search.base import Ask
from evaluation.search.space import Space
from testbed.basis.errors import InputError
from testbed.basis.seeding import global_draws

__all__ = ["Build", "optuna_objective", "proxy_function", "space_objective"]

# From a configuration (choice → option) to a network: images (N, C, H, W) in [0, 1] → logits.
Build = Callable[[Mapping[str, Any]], nn.Module]


def proxy_function(
    name: str,
    images: Tensor,
    labels: Tensor,
    *,
    better: str | None = None,
    seed: int = 0,
    **options: Any,
) -> Callable[[nn.Module], float]:
    """Return a function from a network to its score, larger promising more robustness.

    Args:
        name: a name of `proxies.PROXIES`.
        images: the batch, (B, C, H, W) in [0, 1], which every network is scored on.
        labels: the class numbers, (B,).
        better: ``higher`` or ``lower``: which scores promise robustness; None for what the
            proxy's reference says. At initialisation the opposite often holds: see
            `evaluation.correlate`.
        seed: the seed of the proxy's own draws.
        options: the options of the proxy.

    Returns:
        A function that leaves the network as it found it. A score that is not defined is NaN.

    Raises:
        UnknownProxyError: for an unknown name.
        ValueError: if ``better`` is another word. The function raises it for a batch or an
            option that does not fit.
    """
    if name not in proxies.PROXIES:
        raise proxies.UnknownProxyError(
            f"unknown proxy {name!r}; known are {', '.join(proxies.PROXIES)}"
        )
    direction = better or proxies.PROXIES[name].better
    if direction not in ("higher", "lower"):
        raise InputError(f"better is higher or lower; got {better!r}")
    sign = 1.0 if direction == "higher" else -1.0

    def score(network: nn.Module) -> float:
        found = proxies.score(network, images, labels, [name], seed=seed, options={name: options})
        return sign * float(found[name])

    return score


def space_objective(
    space: Space, build: Build, score: Callable[[nn.Module], float], seed: int = 0
) -> Ask:
    """Return a function from a candidate to its network's score, for `evaluation.search.search`.

    Args:
        space: the space of your configurations.
        build: returns the network of a configuration. Its draws from torch's global generator
            depend on the configuration and the seed alone, and the generator's state is as
            before afterwards.
        score: returns the score of a network: `proxy_function`, or your own training and attack.
        seed: the seed of the initial weights.
    """

    def objective(candidate: int) -> float:
        configuration = space.configuration(candidate)
        return score(_built(build, configuration, seed))

    return objective


def optuna_objective(
    choices: Mapping[str, Any],
    build: Build,
    score: Callable[[nn.Module], float],
    seed: int = 0,
) -> Callable[[Any], float]:
    """Return a function of a trial, for ``optuna.create_study(direction="maximize").optimize``.

    Optuna counts a trial whose score is NaN as failed, and goes on.

    Args:
        choices: the options of each choice by its name, each a number, a text, a bool or None.
        build: returns the network of a configuration, see `space_objective`.
        score: returns the score of a network.
        seed: the seed of the initial weights.
    """

    def objective(trial: Any) -> float:
        configuration = {
            name: trial.suggest_categorical(name, list(options))
            for name, options in choices.items()
        }
        return score(_built(build, configuration, seed))

    return objective


def _built(build: Build, configuration: Mapping[str, Any], seed: int) -> nn.Module:
    words = [f"{name}={option!r}" for name, option in sorted(configuration.items())]
    with global_draws("search space", *words, seed):
        network = build(configuration)
    if not isinstance(network, nn.Module):
        raise TypeError(
            f"a configuration becomes a torch.nn.Module; got {type(network).__name__} of "
            f"{dict(configuration)}"
        )
    return network
