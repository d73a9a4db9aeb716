"""Parameters and FLOPs: the baselines that any proxy must beat."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from proxies.attention import attention_in_steps
from proxies.axes import NOWHERE
from proxies.conditions import UndefinedError
from proxies.contractions import Contractions
from proxies.operations import RESHAPED
from proxies.probe import Probe, Score
from testbed.networks.copying import unwrapped
from testbed.networks.recurrence import step_by_step
from testbed.spaces import registry
from testbed.spaces.design import designs

__all__ = ["flops", "params"]

# Operations that add a bias, and the place of it among their arguments.
BIASED = {
    torch.ops.aten.convolution: 2, torch.ops.aten._convolution: 2, torch.ops.aten.addmm: 0,
    torch.ops.aten.addmv: 0, torch.ops.aten.baddbmm: 0,
}  # fmt: skip
CONVOLUTIONS = {torch.ops.aten.convolution, torch.ops.aten._convolution}


def params(probe: Probe) -> Score:
    """Return the number of parameters; frozen ones count too, and shared ones count once."""
    network = unwrapped(probe.module)
    return Score(float(sum(parameter.numel() for parameter in network.parameters())))


def flops(probe: Probe) -> Score:
    """Return the multiply-accumulates of one image in convolutions and matrix products.

    For a network of a space that publishes them this is the published figure; that of
    NAS-Bench-201 counts every edge, dead ones included. For any other module they are counted as
    they are executed, by operation, not by layer: in a scripted module, in an attention's
    projections and in its products of queries with keys and of weights with values alike. A bias
    that is part of a product counts as one for each output.
    """
    module = unwrapped(probe.module)
    found = designs(module)
    if len(found) == 1:
        genotype, arguments = found[0].genotype, dict(found[0].arguments)
        count = registry.get(found[0].space).flops(
            genotype, resolution=probe.images.shape[-1], **arguments
        )
        if count is not None:
            return Score(float(count))
    count = _executed(probe.network, probe.images)
    if not count and any(True for _ in module.parameters()):
        raise UndefinedError(
            "no convolution or matrix product was seen although the network has parameters: its "
            "operations are compiled into ones that are not counted"
        )
    return Score(float(count))


def _executed(network: nn.Module, images: Tensor) -> int:
    """Return the multiply-accumulates of one image: the difference that a further image makes."""
    return _of_batch(network, images[:1].repeat(3, 1, 1, 1)) - _of_batch(
        network, images[:1].repeat(2, 1, 1, 1)
    )


def _of_batch(network: nn.Module, images: Tensor) -> int:
    with torch.no_grad(), attention_in_steps(), step_by_step(), _Count(network) as count:
        network(images)
    return count.total


def _trilinear(first: Tensor, weight: Tensor, second: Tensor, *_: Any, **__: Any) -> int:
    """Return the multiply-accumulates of x Wₒ y: x with each matrix, then with y."""
    rows = first.numel() // first.shape[-1]
    return rows * (weight.numel() + weight.numel() // weight.shape[-2])


# What torch's own counter leaves out.
FURTHER: dict[Any, Callable[..., int]] = {
    torch.ops.aten.mv: lambda matrix, *_, **__: matrix.numel(),
    torch.ops.aten.addmv: lambda _, matrix, *__, **___: matrix.numel(),
    torch.ops.aten.dot: lambda vector, *_, **__: vector.numel(),
    torch.ops.aten._trilinear: _trilinear,
}


class _Count(TorchDispatchMode):
    """Adds up the multiply-accumulates of convolutions and matrix products."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.total = 0
        self._parameters = {p.untyped_storage().data_ptr() for p in network.parameters()}
        self._contractions = Contractions(
            lambda tensor: "parameters" if self._is_parameter(tensor) else "images"
        )
        # Results without a bias, by identity, each with its number of channels.
        self._bare: dict[int, tuple[Tensor, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        packet = func._overloadpacket
        formula = flop_registry.get(packet)
        if formula is not None:
            self.total += formula(*args, **kwargs, out_val=result) // 2
        elif packet in FURTHER:
            self.total += FURTHER[packet](*args, **kwargs)
        if packet in BIASED and args[BIASED[packet]] is not None:
            self.total += result.numel()
        elif formula is not None or packet in FURTHER:
            channels = result.shape[1] if packet in CONVOLUTIONS else result.shape[-1:].numel()
            self._bare[id(result)] = result, channels
        else:
            self._follow(func._schema.name.removeprefix("aten::"), args, kwargs, result)
        return result

    def _is_parameter(self, tensor: Tensor) -> bool:
        return tensor.untyped_storage().data_ptr() in self._parameters

    def _follow(self, name: str, args: Any, kwargs: Any, result: Any) -> None:
        """Count products that are written out, and biases that are added behind products."""
        if self._contractions.see(name, args, kwargs, result, NOWHERE):
            self.total += args[0].numel()
            self._bare[id(result)] = result, result.shape[-1:].numel()
        found = self._bare.get(id(args[0])) if args else None
        if found is None:
            return
        if name in RESHAPED:
            self._bare[id(result)] = result, found[1]
        elif name.rstrip("_") == "add" and isinstance(args[1], Tensor):
            own = self._is_parameter(args[1]) and args[1].numel() == found[1]
            self.total += result.numel() if own else 0
