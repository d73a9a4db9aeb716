"""Proxies for searches: the one module of ``evaluation`` that knows the room ``proxies``.

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
from testbed.errors import InputError
from testbed.seeding import global_draws

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
    """Return network → score, larger promising more robustness.

    Args:
        name: of `proxies.PROXIES`.
        images: (B, C, H, W) in [0, 1]; every network is asked about the same batch.
        labels: (B,) class numbers.
        better: ``higher`` or ``lower``; None for what the proxy's reference promises. At
            initialisation that is often the wrong way round: see `evaluation.correlate`.
        seed: of the proxy's own draws.
        options: of the proxy.

    Returns:
        a function that leaves the network as it found it. A score that is not defined is NaN.

    Raises:
        UnknownProxyError: for an unknown name.
        ValueError: if ``better`` is another word; when the function is called, for a batch or
            an option that does not fit.
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
    """Return candidate → score of its network, for `evaluation.search.search`.

    Args:
        space: of your configurations.
        build: makes a network of one. What it draws from torch's global generator depends on
            the configuration and the seed alone, and that generator is as before afterwards.
        score: of a network; `proxy_function`, or your own training and attack.
        seed: of the initial weights.
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
    """Return trial → score, for ``optuna.create_study(direction="maximize").optimize``.

    Optuna counts a trial whose score is NaN as failed, and goes on.

    Args:
        choices: name → options, each a number, a text, a bool or None.
        build: as for `space_objective`.
        score: likewise.
        seed: likewise.
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
