"""Parameters and FLOPs: the baselines that any proxy must beat."""

import torch
from torch import Tensor, nn

from proxies.probe import Probe, Score
from testbed.nasbench201 import cost
from testbed.nasbench201.network import Network

__all__ = ["flops", "params"]


def params(probe: Probe) -> Score:
    """Return the number of trainable parameters."""
    return Score(float(sum(parameter.numel() for parameter in probe.module.parameters())))


def flops(probe: Probe) -> Score:
    """Return the multiply-accumulates of one image in convolutions and linear layers.

    For a NAS-Bench-201 network this is the published figure, which counts every edge,
    dead ones included; for any other module, the layers that a forward pass executes.
    """
    networks = [layer for layer in probe.module.modules() if isinstance(layer, Network)]
    if len(networks) == 1:
        network = networks[0]
        count = cost.flops(
            network.genotype,
            network.channels,
            network.stage_cells,
            network.classes,
            network.in_channels,
            probe.images.shape[-1],
        )
        return Score(float(count))
    return Score(float(_executed(probe.network, probe.images)))


def _executed(network: nn.Module, images: Tensor) -> int:
    total = 0

    def count(layer: nn.Module, _: tuple, output: Tensor) -> None:
        nonlocal total
        assert isinstance(layer.weight, Tensor)
        positions = output[0].numel() // layer.weight.shape[0]
        bias = 0 if layer.bias is None else layer.weight.shape[0]
        total += positions * (layer.weight.numel() + bias)

    kinds = nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear
    hooks = [
        layer.register_forward_hook(count)
        for layer in network.modules()
        if isinstance(layer, kinds)
    ]
    with torch.no_grad():
        network(images[:2])
    for hook in hooks:
        hook.remove()
    return total
