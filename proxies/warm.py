"""Scores after a few steps of training: not training-free, and their seconds say so.

The network is trained on the batch in hand, by SGD with momentum, in train mode, and scored then
with batch-norm statistics that are calibrated on it. Definitions of the scores are those of the
proxies after which they are called.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.modules.batchnorm import _NormBase

from proxies.conditions import OptionError, UndefinedError, require_parameters
from proxies.probe import Probe, Score
from testbed.catalogue.registry import get
from testbed.networks.copying import unwrapped, working_copy
from testbed.networks.outcome import explained
from testbed.networks.precision import in_precision
from testbed.networks.strides import safe_strides

__all__ = ["warmed"]

PREFIX = "warm_"


def warmed(probe: Probe, steps: int, rate: float) -> Probe:
    """Return a probe of the network after ``steps`` steps of SGD on the probe's batch.

    Momentum is .9, there is no weight decay, and each step takes the whole batch.

    Raises:
        OptionError: if there is no step, or the rate is not positive.
        UndefinedError: if the training fails or leaves the finite numbers.
    """
    if steps < 1 or not rate > 0:
        raise OptionError(f"expected steps ≥ 1 and rate > 0; got {steps} and {rate}")
    return probe.shared(f"warm {steps} {rate}", lambda: _warmed(probe, steps, rate))


def _warmed(probe: Probe, steps: int, rate: float) -> Probe:
    require_parameters(probe)
    images, labels = probe.images, probe.labels
    network = working_copy(unwrapped(probe.module))
    network = in_precision(network, images.device, images.dtype)
    network.train()
    for parameter in network.parameters():
        parameter.requires_grad_(parameter.is_floating_point() or parameter.is_complex())
    try:
        _train(network, probe, steps, rate)
    except Exception as error:
        raise UndefinedError(f"the network cannot be trained: {explained(error)}") from error
    network.eval()
    if not all(bool(parameter.isfinite().all()) for parameter in network.parameters()):
        raise UndefinedError(f"the training leaves the finite numbers within {steps} steps")
    mode = "calibrated" if _tracks(network) else "auto"
    key = (*probe.key, "warm", steps, rate)
    return Probe(network, images, labels, batch_norm=mode, key=key, memory=probe.budget)


def _train(network: nn.Module, probe: Probe, steps: int, rate: float) -> None:
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, rate, momentum=0.9)
    images = probe.fast.arrange(probe.images)
    with torch.enable_grad(), safe_strides():
        for _ in range(steps):
            optimizer.zero_grad()
            cross_entropy(network(images.clone()), probe.labels).backward()
            optimizer.step()


def _tracks(network: nn.Module) -> bool:
    norms = [layer for layer in network.modules() if isinstance(layer, _NormBase)]
    return any(norm.track_running_stats for norm in norms)


def _score(probe: Probe, *, proxy: str, steps: int = 20, rate: float = 0.05) -> Score:
    spec = get(proxy)
    return spec.function(warmed(probe, steps, rate), **spec.options)


def __getattr__(name: str) -> Callable[..., Score]:
    """Return the proxy ``warm_<name>`` of any proxy."""
    if name.startswith(PREFIX):
        return partial(_score, proxy=name.removeprefix(PREFIX))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
