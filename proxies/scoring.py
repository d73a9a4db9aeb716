"""``score``: any ``nn.Module`` and a batch in, scores out."""

import math
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from proxies.conditions import OptionError, UndefinedError, draws
from proxies.foreign import ProxyError, as_declared, checked, lent
from proxies.piecewise import proven_linear
from proxies.probe import DEFAULT_MEMORY, Probe, Score
from proxies.warm_up import first_probe, small_probe
from testbed.basis.errors import InputError
from testbed.basis.plugins import ANYTHING
from testbed.basis.seeding import global_draws
from testbed.catalogue.registry import chosen as named
from testbed.catalogue.registry import get
from testbed.catalogue.spec import ProxySpec
from testbed.networks.errors import NetworkError
from testbed.networks.images import check_images
from testbed.networks.memory import free, out_of_memory
from testbed.networks.modes import own_modes
from testbed.networks.outcome import explained

__all__ = ["check_options", "evaluate", "score"]

DRAWS = (
    "the network draws random numbers in eval mode: this is a score of one draw, and what compares "
    "two passes compares two draws; draw in train mode only (if self.training)"
)
DEFAULT_PROXIES = ("params", "flops", "jacobian_norm", "hessian_input")


def score(
    module: nn.Module,
    images: Tensor,
    labels: Tensor | None = None,
    proxies: Iterable[str] | str = DEFAULT_PROXIES,
    *,
    batch_norm: str = "auto",
    seed: int = 0,
    memory: int = DEFAULT_MEMORY,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Score]:
    """Score a network with training-free proxies; the network is left as it was.

    The modes of the caller (``no_grad``, ``inference_mode``, ``autocast``) do not matter.

    Args:
        module: a network from images in [0, 1] to logits (B, K), whose first layer normalises.
        images: the batch, (B, C, H, W), float32 or float64 in [0, 1]; its dtype and device are
            those of the computation.
        labels: the class numbers, (B,); they may be None for proxies that do not need them.
        proxies: names of `registry.PROXIES` or of groups (`spec.GROUPS`), or one name.
        batch_norm: ``calibrated``, ``running``, ``batch``, or ``auto``: calibrated for a
            network whose batch norms are fresh, running otherwise (see `preparation`).
        seed: the seed of random projections and of the estimators' starts.
        memory: the number of bytes that a part of the batch may take, for Jacobians.
        options: options of single proxies, ``{"jacobian_projection": {"projections": 3}}``.

    Returns:
        A `Score` for each proxy, by name; ``float(score)`` is its value. A proxy that has no
        value for this network, or fails on it, is NaN with the reason; the others are computed
        all the same.

    Raises:
        UnknownProxyError: for a name not in the table.
        NetworkError: for a network, images or labels that no proxy can work with.
        ValueError: for a mode or an option that does not fit.
    """
    names = [proxies] if isinstance(proxies, str) else list(proxies)
    specs = [get(name) for name in named(names)]
    chosen = {spec.name: _settings(spec, (options or {}).get(spec.name, {})) for spec in specs}
    check_images(images, labels)
    if memory < 1:
        raise InputError(f"memory is a number of bytes, at least 1; got {memory}")
    with own_modes(images.device):
        probe = Probe(
            module, images.detach().clone(), None if labels is None else labels.clone(),
            batch_norm=batch_norm, key=("probe", seed), memory=memory,
        )  # fmt: skip
        for spec in specs:
            spec.check_mode(probe.batch_norm)
        ours_first = sorted(specs, key=lambda spec: spec.foreign)
        found = {spec.name: evaluate(spec, probe, chosen[spec.name]) for spec in ours_first}
        return {spec.name: found[spec.name] for spec in specs}


def check_options(
    options: Mapping[str, Mapping[str, Any]], batch_norm: str, device: str, dtype: torch.dtype
) -> None:
    """Try the options of proxies on a small network, before hours of work with them.

    Raises:
        ValueError: for an option that a proxy does not have, or a value that it does not take.
        InputError: for a value that a proxy of this package fails with.
    """
    for name, chosen in options.items():
        spec = get(name)
        found = evaluate(spec, small_probe(device, dtype, batch_norm), chosen)
        if found.failed and not spec.foreign:  # which may ask for other networks
            given = ", ".join(f"{key}={value}" for key, value in chosen.items())
            raise InputError(f"{name} fails with {given} on a small network: {found.reason}")


def evaluate(spec: ProxySpec, probe: Probe, options: Mapping[str, Any]) -> Score:
    """Return one proxy's score of a probe, timed, the global random state untouched.

    An exception inside a proxy becomes the reason of a NaN. If its cause is not the network
    (a lack of memory, for instance, or a fault of the proxy), ``failed`` is set. Where memory does
    not suffice, the proxy is tried again with parts of the batch half as large, as long as the
    score does not depend on their size.

    Raises:
        NetworkError: for a network, images or labels that no proxy can work with.
        ValueError: for an option that the proxy does not have.
    """
    settings = _settings(spec, options)
    spec.check_mode(probe.batch_norm)
    _warm_up(spec, probe)
    return _evaluated(spec, probe, settings)


def _warm_up(spec: ProxySpec, probe: Probe, smooth: bool = False) -> None:
    """Try a proxy on a small network, if it is the first time; what comes of it does not matter."""
    with suppress(Exception):
        small = first_probe(spec, probe, smooth)
        if small is not None:
            _evaluated(spec, small, spec.options)


def _evaluated(spec: ProxySpec, probe: Probe, settings: Mapping[str, Any]) -> Score:
    device = probe.images.device
    with own_modes(device), global_draws(*probe.key, "forward", device=device):
        if not spec.structural:
            probe.check()
            if not proven_linear(probe.fast.alone.logits):
                _warm_up(spec, probe, smooth=True)
        while True:
            result = _tried(spec, probe, settings)
            if result is not None:
                return _explained(result, probe)
            free()


def _tried(spec: ProxySpec, probe: Probe, settings: Mapping[str, Any]) -> Score | None:
    """Return a score; None if memory did not suffice and may with smaller parts of the batch."""
    start = time.perf_counter()
    try:
        if spec.foreign:
            view = as_declared(probe, spec)
            with lent(probe):
                result, seconds = view.timed(lambda probe: spec.function(probe, **settings))
            result = checked(result)
        else:
            result, seconds = probe.timed(lambda probe: spec.function(probe, **settings))
    except ANYTHING as error:
        short = out_of_memory(error)
        if short and probe.budget.halve():
            return None
        if not short and isinstance(error, NetworkError | OptionError):
            raise
        seconds = time.perf_counter() - start
        if not short and isinstance(error, UndefinedError):
            result = Score(math.nan, str(error))
        else:
            why = str(error) if isinstance(error, ProxyError) else explained(error)
            result = Score(math.nan, f"failed: {why}", failed=True)
    return replace(result, seconds=seconds)


def _settings(spec: ProxySpec, options: Mapping[str, Any]) -> dict[str, Any]:
    unknown = set(options) - set(spec.options)
    if unknown:
        raise InputError(
            f"{spec.name} has no option {', '.join(sorted(unknown))}; "
            f"it has {', '.join(spec.options) or 'none'}"
        )
    for name, value in options.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"{spec.name}: {name} is a finite number; got {value}")
    return {**spec.options, **options}


def _explained(score: Score, probe: Probe) -> Score:
    """Add the facts about the network's preparation to a score."""
    warnings, facts = probe.notes()
    reason = score.reason
    if probe.ran and draws(probe):
        warnings.append(DRAWS)
    if not math.isfinite(score.value) and reason is None:
        reason = f"the result is {score.value}"
    value = score.value if math.isfinite(score.value) else math.nan
    reasons = [text for text in (reason, *warnings) if text]
    return replace(
        score, value=value, reason="; ".join(reasons) or None, details=score.details | facts
    )
