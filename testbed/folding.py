"""Batch norm folded into the convolution before it, for networks in eval mode.

In eval mode a batch norm is an affine map of each channel, and the convolution
before it can do it: W' = W·γ/σ and b' = β + (b − μ)·γ/σ. This saves two passes
over every feature map and leaves the function as it is up to rounding.

Only neighbours inside an ``nn.Sequential`` are folded: there, and only there,
the structure alone proves that nobody else reads the convolution's output.
"""

import copy
import itertools
from collections.abc import Mapping

import torch
from torch import Tensor, nn

__all__ = ["FoldedFunction", "freeze"]


class FoldedFunction:
    """A network as a differentiable function of its own parameters, evaluated folded.

    ``function(parameters, images)`` equals ``functional_call(network, parameters, images)``
    for a network in eval mode, and so do all derivatives with respect to the original
    parameters, batch-norm weights included.
    """

    def __init__(self, network: nn.Module) -> None:
        self.skeleton = copy.deepcopy(network)
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


def freeze(network: nn.Module) -> nn.Module:
    """Return a folded copy for derivatives with respect to the images alone.

    Its parameters require no gradient and lie in channels-last order. On a CPU and one thread,
    an image's logits do not depend on how many others it comes with, from four on.
    """
    function = FoldedFunction(network)
    with torch.no_grad():
        folded = function.fold(dict(network.named_parameters()))
        function.skeleton.load_state_dict(folded, strict=False)
    _keep_one_kernel(function.skeleton)
    return channels_last(function.skeleton.requires_grad_(False))


def _keep_one_kernel(network: nn.Module) -> None:
    # On one thread PyTorch gives a 1 × 1 convolution of fewer than 16 images to another kernel,
    # which rounds otherwise (on AVX2 at least), unless it is dilated, which means nothing here.
    for layer in network.modules():
        if type(layer) is nn.Conv2d and layer.kernel_size == (1, 1):
            layer.dilation = (2, 2)


def channels_last(network: nn.Module) -> nn.Module:
    """Put a network's convolution weights into channels-last order, in place."""
    # On a CPU, pooling is several times faster in it and convolutions no slower.
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def foldable(network: nn.Module) -> list[tuple[str, str]]:
    """Return the paths of (convolution, batch norm) pairs that may be folded."""
    counts: dict[int, int] = {}
    for _, module in network.named_modules(remove_duplicate=False):
        counts[id(module)] = counts.get(id(module), 0) + 1
    pairs = []
    for path, parent in network.named_modules():
        if type(parent).forward is not nn.Sequential.forward:
            continue
        children = list(parent.named_children())
        for (conv_name, conv), (norm_name, norm) in itertools.pairwise(children):
            if _is_pair(conv, norm) and counts[id(conv)] == counts[id(norm)] == 1:
                prefix = f"{path}." if path else ""
                pairs.append((prefix + conv_name, prefix + norm_name))
    return pairs


def _is_pair(conv: nn.Module, norm: nn.Module) -> bool:
    # Subclasses and hooks may do anything, so only the plain layers are folded.
    plain = type(conv) is nn.Conv2d and type(norm) is nn.BatchNorm2d
    if not plain or norm.training or norm.running_mean is None:
        return False
    return not any(
        layer._forward_hooks or layer._forward_pre_hooks or layer._backward_hooks
        for layer in (conv, norm)
    )


def _replace(network: nn.Module, path: str, layer: nn.Module) -> None:
    parent, _, name = path.rpartition(".")
    setattr(network.get_submodule(parent), name, layer)
