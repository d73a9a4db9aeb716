"""Tells whether a network is piecewise linear in its input.

If so, off the kinks, its logits have no second derivative, and the Hessian of
the loss is exactly its Gauss-Newton form. The answer comes from the operations
that one forward pass really executes, not from the names of modules, so a GELU
hidden in a ``forward`` is seen. Operations that are not known to be piecewise
linear count as not: the answer errs to the side of the general method.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

__all__ = ["is_piecewise_linear"]

# Piecewise linear in all tensor arguments together.
LINEAR = {
    *("add", "sub", "neg", "cat", "stack", "sum", "mean", "clone", "copy_", "alias", "detach"),
    *("view", "_unsafe_view", "reshape", "expand", "permute", "transpose", "t", "squeeze"),
    *("unsqueeze", "select", "slice", "split", "split_with_sizes", "unbind", "flatten"),
    *("constant_pad_nd", "reflection_pad2d", "replication_pad2d", "_to_copy", "flip", "roll"),
    *("relu", "relu_", "add_", "leaky_relu", "leaky_relu_", "hardtanh", "hardtanh_", "clamp"),
    *("clamp_min", "clamp_max", "threshold", "threshold_", "abs", "maximum", "minimum"),
    *("avg_pool2d", "max_pool2d_with_indices", "adaptive_avg_pool2d", "_adaptive_avg_pool2d"),
    *("adaptive_max_pool2d", "amax", "amin", "upsample_nearest2d", "upsample_bilinear2d"),
    *("pixel_shuffle", "pixel_unshuffle", "zeros_like", "ones_like", "empty_like"),
}
# Linear in one argument while the others are constants of the network.
BILINEAR = {
    *("mul", "mul_", "mm", "bmm", "matmul", "addmm", "baddbmm", "linear", "prelu"),
    *("_prelu_kernel", "convolution", "mkldnn_convolution", "_slow_conv2d_forward"),
    *("cudnn_convolution", "miopen_convolution", "convolution_overrideable"),
}
# Linear in the first argument, a constant divisor or frozen statistics behind it.
FIRST_ONLY = {"div", "div_", "native_batch_norm", "cudnn_batch_norm", "_native_batch_norm_legit"}
FIRST_ONLY |= {"_native_batch_norm_legit_no_training", "native_dropout"}


def is_piecewise_linear(network: nn.Module, image: Tensor) -> bool:
    """Say whether the logits are piecewise linear in the image.

    Args:
        network: in the mode in which it is to be judged; batch norm must be in eval mode.
        image: (1, C, H, W), any example.
    """
    with torch.no_grad(), _Trace(image) as trace:
        network(trace.image)
    return trace.linear


class _Trace(TorchDispatchMode):
    """Follows the tensors that depend on the image through every operation."""

    def __init__(self, image: Tensor) -> None:
        super().__init__()
        self.image = image.detach().clone()
        self.dependent = {id(self.image)}
        self.keep: list[Any] = [self.image]  # an id is only unique while its object lives
        self.linear = True

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        leaves = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        moving = [leaf for leaf in leaves if id(leaf) in self.dependent]
        if moving:
            self.linear &= _is_linear(func, args, moving)
            outputs = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
            self.dependent |= {id(leaf) for leaf in outputs}
            self.keep += outputs
        return result


def _is_linear(func: Any, args: Any, moving: list[Tensor]) -> bool:
    name = func._schema.name.removeprefix("aten::")
    if name in LINEAR:
        return True
    if name in BILINEAR:
        return len(moving) == 1
    if name in FIRST_ONLY:
        return len(moving) == 1 and moving[0] is args[0] and not _trains(func, args)
    return False


def _trains(func: Any, args: Any) -> bool:
    """Say whether a batch norm uses the batch's own statistics, or a dropout is on."""
    names = [argument.name for argument in func._schema.arguments]
    return any(
        name in ("training", "train") and bool(value)
        for name, value in zip(names, args, strict=False)
    )
