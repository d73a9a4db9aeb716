"""Zen-score: how far the features of a random network move with its random input.

Lin et al., "Zen-NAS: A Zero-Shot NAS for High-Performance Image Recognition", ICCV 2021,
algorithm 1.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.nn.modules.batchnorm import _NormBase
from torch.utils._python_dispatch import TorchDispatchMode

from proxies.attention import attention_in_steps
from proxies.conditions import OptionError, UndefinedError
from proxies.effective import effective_copy
from proxies.feature_maps import POOLS
from proxies.graph import below
from proxies.loss_gradients import require_weights
from proxies.probe import Probe, Score
from proxies.tape import record
from testbed.networks.copying import unwrapped
from testbed.networks.precision import in_precision
from testbed.networks.recurrence import step_by_step
from testbed.networks.strides import safe_strides

__all__ = ["zen"]

NORMS = (_NormBase, nn.GroupNorm, nn.LayerNorm)


def zen(probe: Probe, *, repeats: int = 4, step: float = 0.01, batch: int = 16) -> Score:
    """Return the mean over ``repeats`` of log E|h(x) − h(x + step · z)| + Σ log √mean_c σ²_c.

    Weights of convolutions and matrix products, x and z are drawn from N(0, 1); biases are 0.
    h is the last feature map whose positions are averaged, or what enters the last matrix product
    where there is none. σ²_c is the variance in the batch of channel c in front of a batch norm;
    these terms put back what the batch norms, in train mode, divide away; one that is given zeros,
    or whose output does not reach the logits, has none. E is the mean over the
    batch of the sum over channels and positions, as in the authors' code.

    The authors repeat 32 times and read running variances, NAS-Bench-Suite-Zero repeats once.

    Raises:
        OptionError: for less than one repeat or two images, or a step that is not positive.
        UndefinedError: if the features do not move, or overflow.
    """
    if repeats < 1 or batch < 2 or not step > 0:
        raise OptionError(
            f"zen needs repeats ≥ 1, batch ≥ 2 and step > 0; got {repeats}, {batch}, {step}"
        )
    require_weights(probe.tape)
    network = effective_copy(unwrapped(probe.module))
    network = in_precision(network, probe.images.device, probe.images.dtype)
    norms = [layer for layer in network.modules() if isinstance(layer, _NormBase)]
    if not norms:  # nothing keeps the features in float32's range
        network = in_precision(network, probe.images.device, torch.float64)
    for norm in norms:
        norm.train()
    alive = _alive(network, norms, probe.images)
    values = torch.tensor([
        _once(probe, network, alive, probe.generator("zen", number), batch, step)
        for number in range(repeats)
    ], dtype=torch.float64)  # fmt: skip
    if not bool(values.isfinite().all()):
        raise UndefinedError("the features of a random network do not move, or overflow")
    return Score(float(values.mean()), details={"std": float(values.std(correction=0))})


def _once(
    probe: Probe, network: nn.Module, alive: list[tuple[_NormBase, list[bool]]],
    source: torch.Generator, batch: int, step: float,
) -> float:  # fmt: skip
    _draw(network, set(probe.tape.weights), source)
    place = max(probe.tape.pooled, default=None)
    like, shape = _real(network), (batch, *probe.images.shape[1:])
    images, shift = (torch.randn(shape, generator=source).to(like) for _ in range(2))
    variances: list[Tensor] = []

    def see(features: Tensor, reaches: bool) -> None:
        if reaches:  # the mean of it, which is no operation of the network, is taken later
            variances.append(features.detach().double().transpose(0, 1).flatten(1).var(1))

    def hook(calls: Iterator[bool]) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        return lambda _, inputs: see(inputs[0], next(calls, True))

    handles = [norm.register_forward_pre_hook(hook(iter(calls))) for norm, calls in alive]
    before = _features(network, images, place)
    for handle in handles:
        handle.remove()
    means = [float(variance.mean()) for variance in variances]
    # Of zeros, which a dead branch gives, nothing was divided away.
    logs = [math.log(variance) / 2 for variance in means if variance > 0]
    moved = (_features(network, images + step * shift, place) - before).double().abs()
    sums = moved.flatten(1).sum(1)
    distance = float(sums.mean()) * (len(sums) / batch)  # tokens may come before samples
    return math.log(distance) + sum(logs) if distance > 0 else math.nan


def _alive(
    network: nn.Module, norms: list[_NormBase], images: Tensor
) -> list[tuple[_NormBase, list[bool]]]:
    """Return for each batch norm whether the outputs of its calls reach the logits."""
    outputs: list[list[Node | None]] = [[] for _ in norms]

    def hook(own: list[Node | None]) -> Callable[[nn.Module, Any, Tensor], None]:
        return lambda _, __, output: own.append(output.grad_fn)

    handles = [
        norm.register_forward_hook(hook(own)) for norm, own in zip(norms, outputs, strict=True)
    ]
    with torch.enable_grad():
        logits = network(images[:1].repeat(2, 1, 1, 1).to(_real(network)).requires_grad_() * 1)
    for handle in handles:
        handle.remove()
    nodes = set(below(logits.grad_fn)[0].values())
    return [
        (norm, [node in nodes for node in own]) for norm, own in zip(norms, outputs, strict=True)
    ]


def _features(network: nn.Module, images: Tensor, place: int | None) -> Tensor:
    if place is None:
        return record(network, images).products[-1].input
    # In steps as the tape's, which are counted.
    with torch.no_grad(), step_by_step(), attention_in_steps(), safe_strides(), _Pooled() as pooled:
        network(images)
    return pooled.maps[place]


def _real(network: nn.Module) -> Tensor:
    """Return a parameter of the precision that images are to have."""
    return next(parameter for parameter in network.parameters() if parameter.is_floating_point())


class _Pooled(TorchDispatchMode):
    """Notes the feature maps whose positions may be reduced to one, as the tape counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.maps: list[Tensor] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func._schema.name.removeprefix("aten::")
        if name in POOLS:
            self.maps.append(args[0])
        return result


def _draw(network: nn.Module, weights: set[str], source: torch.Generator) -> None:
    """Draw the weights from N(0, 1), clear the biases, and reset the normalisations."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name in weights:
                draw = torch.randn(parameter.shape, generator=source)
                parameter.copy_(draw.to(parameter))
            elif name.endswith("bias"):
                parameter.zero_()
        for layer in network.modules():
            if (
                isinstance(layer, _NormBase | nn.GroupNorm | nn.LayerNorm)
                and layer.weight is not None
            ):
                layer.weight.fill_(1)
