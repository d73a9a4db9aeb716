"""Whether a network is piecewise linear in its input.

If so, off the kinks, its logits have no second derivative, and the Hessian of the loss is
exactly its Gauss-Newton form. Three steps, from the cheapest:

1. The graph that a forward pass leaves for the derivatives is walked. If every node on the way
   from the images to the logits is known to be piecewise linear, the answer is yes, and proven:
   autograd itself has taken care of views, of writes in place and of what is a constant.
2. Else the operations that a forward pass executes are followed. Those that are not known to be
   piecewise linear count as not: the answer errs to the side of the general method.
3. What step 2 claims is verified by one product with the second derivative, which must be zero.
"""

import re
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from proxies.inner import is_own_function
from testbed.basis.seeding import generator
from testbed.networks.fast import FastCopy
from testbed.networks.memory import not_of_memory
from testbed.networks.outcome import direction

__all__ = ["claims_linear", "is_piecewise_linear", "proven_linear", "second_derivative_vanishes"]

# Operations, and the nodes of a graph that are named after them. Piecewise linear in all tensor
# arguments together:
LINEAR = {
    *("add", "sub", "neg", "cat", "stack", "sum", "mean", "clone", "copy", "alias", "to_copy"),
    *("view", "unsafe_view", "reshape", "reshape_alias", "expand", "permute", "transpose", "t"),
    *("squeeze", "unsqueeze", "select", "slice", "split", "split_with_sizes", "unbind"),
    *("flatten", "as_strided", "diagonal", "repeat", "unfold", "im2col", "col2im", "narrow"),
    *("constant_pad_nd", "reflection_pad2d", "replication_pad2d", "flip", "roll", "movedim"),
    *("relu", "leaky_relu", "hardtanh", "hardsigmoid", "clamp", "clamp_min", "clamp_max"),
    *("threshold", "abs", "maximum", "minimum", "avg_pool2d", "adaptive_avg_pool2d"),
    *("max_pool2d_with_indices", "adaptive_max_pool2d", "amax", "amin", "upsample_nearest2d"),
    *("upsample_bilinear2d", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle"),
    *("native_channel_shuffle", "select_scatter", "slice_scatter", "lift_fresh", "detach"),
    *("zeros_like", "ones_like", "empty_like", "new_zeros", "new_empty", "fill", "zero"),
}
# Linear in one argument while the others are constants of the network.
BILINEAR = {
    *("mul", "mm", "bmm", "mv", "dot", "matmul", "addmm", "baddbmm", "linear", "prelu"),
    *("prelu_kernel", "convolution", "mkldnn_convolution", "slow_conv2d_forward"),
    *("cudnn_convolution", "miopen_convolution", "convolution_overrideable"),
}
# Linear in the first argument, constants of the network behind it.
FIRST_ONLY = {
    *("div", "native_batch_norm", "cudnn_batch_norm", "native_batch_norm_legit"),
    *("native_batch_norm_legit_no_training", "native_dropout", "index", "index_select", "gather"),
    *("index_put", "masked_fill"),
}
LINEAR, BILINEAR, FIRST_ONLY = (
    {word.replace("_", "") for word in words} for words in (LINEAR, BILINEAR, FIRST_ONLY)
)


def is_piecewise_linear(copy: FastCopy, image: Tensor) -> bool:
    """Say whether the logits are piecewise linear in the image.

    Args:
        copy: the fast copy of a network in the mode in which it is to be judged.
        image: an example, (1, C, H, W).
    """
    if proven_linear(copy.alone.logits):
        return True
    image = copy.arrange(image)
    return claims_linear(copy.network, image) and second_derivative_vanishes(copy.network, image)


def proven_linear(logits: Tensor) -> bool:
    """Say whether the graph of logits holds piecewise-linear nodes only, all the way down."""
    seen, open_nodes = set(), [logits.grad_fn]
    while open_nodes:
        node = open_nodes.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        sources = [source for source, _ in node.next_functions]
        if not _is_linear_node(node, sources):
            return False
        open_nodes += sources
    return True


def _is_linear_node(node: Any, sources: list[Any]) -> bool:
    name = node.name()
    if name == "torch::autograd::AccumulateGrad":
        return True
    if is_own_function(node):  # which may be called as one of torch's is, and do anything
        return False
    kind = re.fullmatch(r"([A-Za-z0-9]+?)Backward\d*", name)
    moving = [position for position, source in enumerate(sources) if source is not None]
    trains = getattr(node, "_saved_training", False)
    return kind is not None and _is_linear(_word(kind[1]), moving, trains)


def _word(name: str) -> str:
    """Return the common name of an operation (``_prelu_kernel``) and its node (``PreluKernel``)."""
    return name.replace("_", "").lower()


def second_derivative_vanishes(network: nn.Module, image: Tensor) -> bool:
    """Say whether one product with the second derivative of the logits is zero.

    The combination of logits and the vector are fixed random ones, over which a second
    derivative that is not zero cannot hide.
    """
    leaf = image.detach().clone().requires_grad_()
    logits = network(leaf)
    if not logits.requires_grad:
        return True
    combined = (logits @ direction(logits.shape[1]).to(logits)).sum()
    try:
        (gradient,) = torch.autograd.grad(combined, leaf, create_graph=True)
        if not gradient.requires_grad:
            return True
        vector = torch.randn(leaf.shape, generator=generator("second derivative")).to(leaf)
        (product,) = torch.autograd.grad(gradient, leaf, vector, materialize_grads=True)
    except RuntimeError as error:  # a step that torch cannot differentiate twice
        not_of_memory(error)
        return False
    scale = torch.finfo(leaf.dtype).eps ** 0.5 * gradient.detach().abs().max()
    return bool(product.abs().max() <= scale)


def claims_linear(network: nn.Module, image: Tensor) -> bool:
    """Say whether all operations that touch what depends on the image are piecewise linear."""
    with torch.no_grad(), _Trace(image) as trace:
        network(trace.image)
    return trace.linear


class _Trace(TorchDispatchMode):
    """Follows what depends on the image through every operation.

    Memory is followed rather than tensors, since an operation that writes into a view changes
    its base.
    """

    def __init__(self, image: Tensor) -> None:
        super().__init__()
        self.image = image.detach().clone()
        self.linear = True
        self.dependent: dict[int, Any] = {}  # kept, since an address is reused after a life
        self._mark(self.image)

    def _mark(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        self.dependent[storage._cdata] = storage

    def _moves(self, tensor: Tensor) -> bool:
        return tensor.untyped_storage()._cdata in self.dependent

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        # Before the operation: a constant that is overwritten was none of its arguments.
        leaves = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        moving = [leaf for leaf in leaves if self._moves(leaf)]
        result = func(*args, **(kwargs or {}))
        if moving:
            name = _word(func._schema.name.removeprefix("aten::"))
            places = [0 if leaf is args[0] else 1 for leaf in moving]
            self.linear &= _is_linear(name, places, _trains(func, args))
            for leaf in tree_leaves(result):
                if isinstance(leaf, Tensor):
                    self._mark(leaf)
        return result


def _is_linear(word: str, moving: list[int], trains: bool) -> bool:
    """Say whether an operation is piecewise linear.

    Args:
        word: the name of the operation.
        moving: the places of the arguments that depend on the image; 0 is the first.
        trains: whether the operation computes statistics of the batch, or draws numbers.
    """
    if word in LINEAR:
        return True
    if word in BILINEAR:
        return len(moving) == 1
    return word in FIRST_ONLY and moving == [0] and not trains


def _trains(func: Any, args: Any) -> bool:
    """Say whether a batch norm uses the batch's own statistics, or a dropout is on."""
    names = [argument.name for argument in func._schema.arguments]
    return any(
        name in ("training", "train") and bool(value)
        for name, value in zip(names, args, strict=False)
    )
