"""Batch norm folded into the convolution before it, for networks in eval mode.

In eval mode a batch norm is an affine map of each channel, and the convolution
before it can do it: W' = W·γ/σ and b' = β + (b − μ)·γ/σ. This saves two passes
over every feature map and leaves the function as it is up to rounding.

Only neighbours inside an ``nn.Sequential`` are folded, where usually nobody else reads the
convolution's output. The structure cannot prove it: whoever loops over the layers himself may.
So a folded network is compared with the plain one before it is used (`testbed.networks.fast`).
"""

import itertools
from collections import Counter
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from testbed.networks.copying import working_copy

__all__ = ["FoldedFunction", "folded"]


class FoldedFunction:
    """A network as a differentiable function of its own parameters, evaluated folded.

    ``function(parameters, images)`` equals ``functional_call(network, parameters, images)``
    for a network in eval mode, and so do all derivatives with respect to the original
    parameters, batch-norm weights included.
    """

    def __init__(self, network: nn.Module) -> None:
        self.skeleton = working_copy(network)
        self.affine: dict[str, tuple[str, Tensor, Tensor]] = {}
        for conv_path, norm_path in foldable(network):
            norm = self.skeleton.get_submodule(norm_path)
            conv = self.skeleton.get_submodule(conv_path)
            assert isinstance(conv, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            assert norm.running_mean is not None
            assert norm.running_var is not None
            scale = torch.rsqrt(norm.running_var + norm.eps)
            self.affine[conv_path] = (norm_path, norm.running_mean, scale)
            if conv.bias is None:
                conv.bias = nn.Parameter(torch.zeros_like(norm.running_mean))
            _replace(self.skeleton, norm_path, nn.Identity())

    def fold(self, parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the skeleton's parameters as a function of the original ones."""
        folded = dict(parameters)
        for conv, (norm, mean, scale) in self.affine.items():
            gain, shift = scale, -mean
            weight, bias = folded.pop(f"{norm}.weight", None), folded.pop(f"{norm}.bias", None)
            if weight is not None:
                gain = weight * scale
            if f"{conv}.bias" in folded:
                shift = folded[f"{conv}.bias"] - mean
            folded[f"{conv}.weight"] = folded[f"{conv}.weight"] * gain[:, None, None, None]
            folded[f"{conv}.bias"] = shift * gain if bias is None else bias + shift * gain
        return folded

    def __call__(self, parameters: Mapping[str, Tensor], images: Tensor) -> Tensor:
        """Return the logits, (B, K), of images (B, C, H, W)."""
        return torch.func.functional_call(self.skeleton, self.fold(parameters), (images,))


def folded(network: nn.Module) -> nn.Module:
    """Return a folded copy; a parameter of it may have another meaning than before."""
    function = FoldedFunction(network)
    with torch.no_grad():
        parameters = function.fold(dict(network.named_parameters()))
        function.skeleton.load_state_dict(parameters, strict=False)
    return function.skeleton


def foldable(network: nn.Module) -> list[tuple[str, str]]:
    """Return the paths of (convolution, batch norm) pairs that may be folded."""
    layers = Counter(id(layer) for _, layer in network.named_modules(remove_duplicate=False))
    shared = Counter(id(value) for _, value in network.named_parameters(remove_duplicate=False))
    pairs = []
    for path, parent in network.named_modules():
        if type(parent).forward is not nn.Sequential.forward or _is_altered(parent):
            continue
        children = list(parent.named_children())
        for (conv_name, conv), (norm_name, norm) in itertools.pairwise(children):
            uses = [layers[id(conv)], layers[id(norm)]]
            uses += [shared[id(value)] for part in (conv, norm) for value in part.parameters()]
            if _is_pair(conv, norm) and set(uses) == {1}:
                prefix = f"{path}." if path else ""
                pairs.append((prefix + conv_name, prefix + norm_name))
    return pairs


def _is_pair(conv: nn.Module, norm: nn.Module) -> bool:
    # Subclasses may do anything, so only the plain layers are folded.
    plain = type(conv) is nn.Conv2d and type(norm) is nn.BatchNorm2d
    if not plain or norm.training or norm.running_mean is None:
        return False
    return not _is_altered(conv) and not _is_altered(norm)


def _is_altered(layer: nn.Module) -> bool:
    """Say whether hooks or a forward of its own make an instance do more than its class."""
    hooks = (layer._forward_hooks, layer._forward_pre_hooks, layer._backward_hooks)
    return any(hooks) or bool(layer._backward_pre_hooks) or "forward" in layer.__dict__


def _replace(network: nn.Module, path: str, layer: nn.Module) -> None:
    parent, _, name = path.rpartition(".")
    setattr(network.get_submodule(parent), name, layer)
