"""``score``: any ``nn.Module`` and a batch in, scores out."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from proxies.probe import DEFAULT_MEMORY, Probe, Score
from proxies.registry import ProxySpec, get
from testbed.seeding import global_draws

__all__ = ["evaluate", "score"]

DEFAULT_PROXIES = ("params", "flops", "jacobian_norm", "hessian_input")


def score(
    module: nn.Module,
    images: Tensor,
    labels: Tensor,
    proxies: Iterable[str] = DEFAULT_PROXIES,
    *,
    batch_norm: str = "auto",
    seed: int = 0,
    memory: int = DEFAULT_MEMORY,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Score]:
    """Score a network with training-free proxies; the network is left as it was.

    Args:
        module: images in [0, 1] → logits (B, K); normalisation is a layer of it.
        images: (B, C, H, W), floating; dtype and device are those of the computation.
        labels: (B,) class numbers.
        proxies: names of `registry.PROXIES`.
        batch_norm: ``calibrated``, ``running``, ``batch``, or ``auto``: calibrated for a
            network whose batch norms are fresh, running otherwise (see `preparation`).
        seed: of random projections and of the estimators' starts.
        memory: bytes that the graph of one part of the batch may take, for Jacobians.
        options: of single proxies, ``{"jacobian_projection": {"projections": 3}}``.

    Returns:
        name → `Score`; ``float(score)`` is its value.

    Raises:
        UnknownProxyError: for a name not in the table.
        ValueError: for a batch, a mode or an option that does not fit.
    """
    specs = [get(name) for name in proxies]
    check_batch(images, labels)
    probe = Probe(module, images, labels, batch_norm=batch_norm, key=("probe", seed), memory=memory)
    return {spec.name: evaluate(spec, probe, (options or {}).get(spec.name, {})) for spec in specs}


def evaluate(spec: ProxySpec, probe: Probe, options: Mapping[str, Any]) -> Score:
    """Return one proxy's score of a probe, timed, the global random state untouched."""
    unknown = set(options) - set(spec.options)
    if unknown:
        raise ValueError(
            f"{spec.name} has no option {', '.join(sorted(unknown))}; "
            f"it has {', '.join(spec.options) or 'none'}"
        )
    spec.check_mode(probe.batch_norm)
    settings = {**spec.options, **options}
    with global_draws(*probe.key, "forward", device=probe.images.device):
        result, seconds = probe.timed(lambda probe: spec.function(probe, **settings))
    if not math.isfinite(result.value) and result.reason is None:
        result = replace(result, value=math.nan, reason=f"the result is {result.value}")
    return replace(result, seconds=seconds)


def check_batch(images: Tensor, labels: Tensor) -> None:
    """Raise ValueError unless images and labels are a batch."""
    if images.dim() != 4 or not images.is_floating_point() or len(images) == 0:
        raise ValueError(
            f"images are a floating tensor (B, C, H, W), B ≥ 1; "
            f"got {images.dtype} of shape {tuple(images.shape)}"
        )
    if labels.shape != images.shape[:1] or labels.dtype != torch.int64:
        raise ValueError(
            f"labels are an int64 tensor of shape ({len(images)},), one for each image; "
            f"got {labels.dtype} of shape {tuple(labels.shape)}"
        )
