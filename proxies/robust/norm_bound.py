"""A bound of how far a network can carry a perturbation, made from the norms of its layers.

b_out = Σ_i c(op_i) b_i over the inputs of each sum, from b = 1 at the image, with c the Lipschitz
constant of an operation in ℓ2 (`norms`): σ_max of a convolution or matrix, the largest scale of a
batch norm, about 1 of a pooling, 1 of a ReLU and a skip connection. Hosseini, Yang and Xie, "DSRNA:
Differentiable Search of Robust Neural Architectures", CVPR 2021, search with certified bounds; no
code of theirs is public, and this bound is our own, hence its name. It holds for the network with
these weights and statistics, and is loose by many orders of magnitude.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from proxies.attention import attention_in_steps
from proxies.conditions import UndefinedError, require_independence
from proxies.probe import Probe, Score
from proxies.robust import norms
from proxies.robust.jumps import Jumps
from proxies.robust.norms import without
from testbed.networks.independence import neighbours

__all__ = ["norm_bound"]

# Largest slopes of elementwise functions; GELU's at √2, SiLU's at 2.40, mish's at 1.49.
SLOPES = {
    "relu": 1, "hardtanh": 1, "tanh": 1, "abs": 1, "neg": 1,
    "softplus": 1, "clamp": 1, "clamp_min": 1, "clamp_max": 1, "log_sigmoid_forward": 1,
    "hardsigmoid": 1 / 6, "sigmoid": 1 / 4, "hardswish": 1.5, "gelu": 1.1290, "silu": 1.09984,
    "mish": 1.08850, "sin": 1, "cos": 1, "celu": 1,
}  # fmt: skip
# What moves or copies values, or takes the largest of disjoint sets.
STILL = {
    "view", "_unsafe_view", "reshape", "_reshape_alias", "alias", "t", "transpose", "permute",
    "squeeze", "unsqueeze", "select", "slice", "split", "split_with_sizes", "unbind", "narrow",
    "clone", "copy", "_to_copy", "detach", "lift_fresh", "as_strided", "contiguous", "flip", "roll",
    "constant_pad_nd", "amax", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle",
    "native_channel_shuffle", "diagonal",
}  # fmt: skip
# What takes no more than a shape.
CONSTANT = {
    "fill", "zero", "new_empty", "empty_like", "new_zeros", "zeros_like", "new_ones", "ones_like",
    "new_full", "full_like",
}  # fmt: skip
PRODUCTS = {"mm": (0, 1), "addmm": (1, 2), "bmm": (0, 1), "baddbmm": (1, 2), "linear": (0, 1)}
NORMS = {
    "native_batch_norm", "_native_batch_norm_legit_no_training", "cudnn_batch_norm",
    "_native_batch_norm_legit",
}  # fmt: skip


def norm_bound(probe: Probe) -> Score:
    """Return log b_out, the logarithm of a bound of ‖f(x) − f(x')‖₂ / ‖x − x'‖₂ over all x, x'.

    Raises:
        UndefinedError: if a step of the network has no finite constant, as products of two
            features, attention and layer norms; the message names it.
    """
    require_independence(probe)
    images = neighbours(probe.images).clone()
    with torch.no_grad(), attention_in_steps(), _Bounds(images) as bounds:
        logits = probe.network(images)
    if logits in bounds.jumps:
        raise without("a comparison or a choice of features")
    value = bounds.of(logits)
    if value is None or value == -math.inf:
        raise UndefinedError("no image reaches the logits: the bound is 0, its logarithm is -inf")
    return Score(value)


class _Bounds(TorchDispatchMode):
    """Follows log b through every operation, memory by memory as views share it."""

    def __init__(self, images: Tensor) -> None:
        super().__init__()
        self.known: dict[int, tuple[float, Any]] = {}  # kept, since an address may be reused
        self.jumps = Jumps()
        self._set(images, 0.0)

    def of(self, tensor: Any) -> float | None:
        """Return log b of what lies in a tensor's memory; None if it is constant."""
        if not isinstance(tensor, Tensor):
            return None
        return self.known.get(tensor.untyped_storage()._cdata, (None,))[0]

    def _set(self, tensor: Tensor, value: float) -> None:
        storage = tensor.untyped_storage()
        self.known[storage._cdata] = value, storage

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        before = self.of(args[0]) if args else None
        inputs = [self.of(item) for item in _tensors((*args, *kwargs.values()))]
        name = func._schema.name.removeprefix("aten::")
        written = func._schema.is_mutable and name.endswith("_")
        name = name.rstrip("_") if written else name
        result = func(*args, **kwargs)
        given, made = _tensors((*args, *kwargs.values())), _tensors((result,))
        moving = [value for value in inputs if value is not None]
        if not moving and not any(tensor in self.jumps for tensor in given):
            return result
        gated = self.jumps.see(name, args, given, made)
        if isinstance(gated, Tensor):  # by its own sign
            value = self.of(gated)
            assert value is not None
            self._set(made[0], value + _copies(gated, made[0]))
        if gated is not False:
            return result
        named = dict(zip((a.name for a in func._schema.arguments), args, strict=False)) | kwargs
        outputs = [item for item in _tensors((result,)) if item.is_floating_point()]
        value = self._bound(name, args, named, outputs) if outputs else -math.inf
        for output in outputs:
            part = output.numel() * output.element_size() < output.untyped_storage().nbytes()
            if written and part and before is not None:  # the rest of the memory stays
                self._set(output, _root_of_squares([before, value]))
            else:  # a view may be of a memory of which more is known, or may repeat it
                known = None if written else self.of(output)
                self._set(output, value if known is None else max(value, known))
        return result

    def _bound(self, name: str, args: Any, named: dict[str, Any], outputs: list[Tensor]) -> float:
        """Return log b of the result of an operation."""
        first = self.of(args[0])
        if name == "copy":  # what was there before is seen to by the caller
            source = self.of(args[1])
            return -math.inf if source is None else source + _copies(args[1], outputs[0])
        if name in CONSTANT:
            return -math.inf
        if name in ("cat", "stack"):
            parts = [self.of(item) for item in args[0]]
            return _root_of_squares([part for part in parts if part is not None])
        if name in ("add", "sub", "rsub"):
            return self._sum(name, args, named, outputs[0])
        if name in ("mul", "div"):
            return self._scaled(name, args, outputs[0])
        if name in PRODUCTS:
            left, right = (args[place] for place in PRODUCTS[name])
            bounds = self.of(left), self.of(right)
            if None not in bounds:
                raise without(f"{name} of two features")
            if name in ("addmm", "baddbmm") and self.of(args[0]) is not None:
                raise without(f"{name} with a bias that depends on the image")
            if bounds == (None, None):
                return -math.inf
            factor = right if bounds[1] is None else left
            moving = bounds[0] if bounds[1] is None else bounds[1]
            return _add(moving, norms.matrix_norm(factor))
        if first is None or any(self.of(item) is not None for item in _tensors(args[1:])):
            raise without(name)
        return _add(first, _factor(name, args, named, outputs[0]))

    def _sum(self, name: str, args: Any, named: dict[str, Any], output: Tensor) -> float:
        alpha = math.log(abs(float(named.get("alpha", 1))) or 1e-300)
        places = (alpha, 0.0) if name == "rsub" else (0.0, alpha)
        parts = []
        for item, factor in zip(args[:2], places, strict=True):
            value = self.of(item)
            if value is not None:
                parts.append(value + factor + _copies(item, output))
        return _log_sum(parts)

    def _scaled(self, name: str, args: Any, output: Tensor) -> float:
        values = [self.of(item) for item in args[:2]]
        if None not in values or (name == "div" and values[0] is None):
            raise without("product or quotient of features")
        place = 1 if values[0] is not None else 0
        factor = torch.as_tensor(args[place]).detach().double().abs()
        size = float(factor.max()) if name == "mul" else 1 / float(factor.min())
        return _add(values[1 - place], size) + _copies(args[1 - place], output)


def _factor(name: str, args: Any, named: dict[str, Any], output: Tensor) -> float:
    """Return the constant of an operation of one feature with constants."""
    image = args[0]
    if name in SLOPES:
        return SLOPES[name]
    if name == "leaky_relu":
        return max(1.0, abs(float(named.get("negative_slope", 0.01))))
    if name == "elu":
        left, scale, inner = (float(named.get(n, 1)) for n in ("alpha", "scale", "input_scale"))
        return abs(scale) * max(1.0, abs(left * inner))
    if name == "_prelu_kernel":
        return max(1.0, float(args[1].abs().max()))
    if name in STILL:
        return 1.0
    if name in ("expand", "repeat"):
        return math.sqrt(output.numel() / image.numel())
    if name == "convolution":
        _, weight, _, _, _, dilation, transposed, _, groups = args
        size = output.shape[2:] if transposed else image.shape[2:]
        return norms.convolution_norm(weight, size, dilation, groups, transposed)
    if name in NORMS and not named.get("training", False):
        return norms.batch_norm_norm(named["running_var"], named["weight"], _eps(named))
    if name in AVERAGES:
        return AVERAGES[name](args, output)
    raise without(name)


def _mean(args: Any, output: Tensor) -> float:
    return math.sqrt(output.numel() / args[0].numel())


def _sum_of_entries(args: Any, output: Tensor) -> float:
    return math.sqrt(args[0].numel() / output.numel())


def _pool(args: Any, output: Tensor) -> float:
    image, kernel, *rest = args
    stride, padding, ceil, inside, divisor = (*rest, *([], [0, 0], False, True, None)[len(rest) :])
    ones, options = torch.ones_like(image[:1, :1]), (kernel, stride, padding, ceil, inside, divisor)
    ahead = torch.ops.aten.avg_pool2d(ones, *options)
    back = torch.ops.aten.avg_pool2d_backward(torch.ones_like(ahead), ones, *options)
    return norms.average_norm(ahead, back)


def _adaptive(args: Any, output: Tensor) -> float:
    ones = torch.ones_like(args[0][:1, :1])
    ahead = torch.ops.aten._adaptive_avg_pool2d(ones, args[1])
    back = torch.ops.aten._adaptive_avg_pool2d_backward(torch.ones_like(ahead), ones)
    return norms.average_norm(ahead, back)


def _adaptive_largest(args: Any, output: Tensor) -> float:
    sizes = zip(args[0].shape[2:], output.shape[2:], strict=True)
    return math.sqrt(math.prod(norms.adaptive_overlap(*pair) for pair in sizes))


def _largest(args: Any, output: Tensor) -> float:
    kernel, stride, _, dilation = (*args[1:5], *([], [0], [1])[len(args) - 2 :])[:4]
    triple = (kernel, stride or kernel, dilation)
    return norms.overlap_norm(*(tuple(v) * 2 if len(v) == 1 else tuple(v) for v in triple))


AVERAGES: dict[str, Callable[[Any, Tensor], float]] = {
    "mean": _mean, "sum": _sum_of_entries, "avg_pool2d": _pool, "_adaptive_avg_pool2d": _adaptive,
    "max_pool2d_with_indices": _largest, "adaptive_max_pool2d": _adaptive_largest,
}  # fmt: skip


def _eps(named: dict[str, Any]) -> float:
    return float(named.get("eps", named.get("epsilon", 0.0)))


def _copies(item: Any, output: Tensor) -> float:
    """Return the logarithm of what broadcasting a tensor to a result does to its length."""
    return math.log(output.numel() / item.numel()) / 2 if isinstance(item, Tensor) else 0.0


def _add(value: float | None, factor: float) -> float:
    if value is None or factor == 0:
        return -math.inf
    return value + math.log(factor) if factor > 0 else math.nan  # of weights that are no numbers


def _log_sum(values: list[float]) -> float:
    return float(torch.tensor(values, dtype=torch.float64).logsumexp(0))


def _root_of_squares(values: list[float]) -> float:
    return _log_sum([2 * value for value in values]) / 2


def _tensors(items: Any) -> list[Tensor]:
    found: list[Tensor] = []
    for item in items:
        if isinstance(item, Tensor):
            found.append(item)
        elif isinstance(item, list | tuple):
            found += _tensors(item)
    return found
