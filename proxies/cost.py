"""Parameters and FLOPs: the baselines that any proxy must beat."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from proxies.attention import attention_in_steps
from proxies.conditions import UndefinedError
from proxies.probe import Probe, Score
from testbed.networks.copying import unwrapped
from testbed.networks.recurrence import step_by_step
from testbed.spaces import registry
from testbed.spaces.design import designs

__all__ = ["flops", "params"]

# Operations that add a bias, and the place of it among their arguments.
BIASED = {
    torch.ops.aten.convolution: 2, torch.ops.aten._convolution: 2, torch.ops.aten.addmm: 0
}  # fmt: skip


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
    with torch.no_grad(), attention_in_steps(), step_by_step(), _Count() as count:
        network(images)
    return count.total


class _Count(TorchDispatchMode):
    """Adds up the multiply-accumulates of convolutions and matrix products."""

    total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.total += formula(*args, **(kwargs or {}), out_val=result) // 2
            if func._overloadpacket in BIASED and args[BIASED[func._overloadpacket]] is not None:
                self.total += result.numel()
        return result
