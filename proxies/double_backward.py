"""Convolutions and average poolings whose second derivatives cost what they must.

torch's double backward of a convolution computes the product of two gradients as a convolution
with a kernel of the image's size, after transposing both. Here it is two forward convolutions
and one backward, with the kernels of a first derivative. The adjoint of an average pooling with
stride 1 is a pooling too, faster on a CPU than torch's scattering backward.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.overrides import TorchFunctionMode

__all__ = ["lean_double_backward"]


class lean_double_backward(TorchFunctionMode):  # noqa: N801 - used as a context manager
    """Let a forward pass build a graph of these convolutions and poolings.

    The function and its first and second derivatives stay what they are, up to rounding; there
    is no third. A call of an unusual form (no batch, padding by name) runs as it would without.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        replacement: Callable[..., Any] = REPLACEMENTS.get(func) or func
        return replacement(*args, **(kwargs or {}))


def _conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    if isinstance(padding, str) or input.dim() != 4:
        return functional.conv2d(input, weight, bias, stride, padding, dilation, groups)
    form = (_pair(stride), _pair(padding), _pair(dilation), groups)
    return _Convolution.apply(input, weight, bias, form)


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, weight: Tensor, bias: Tensor | None, form: Any) -> Tensor:
        ctx.save_for_backward(input, weight)
        ctx.biased, ctx.form = bias is not None, form
        return functional.conv2d(input, weight, bias, *form)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        input, weight = ctx.saved_tensors
        needs = (*ctx.needs_input_grad[:2], ctx.biased and ctx.needs_input_grad[2])
        return *_ConvolutionBackward.apply(gradients[0], input, weight, needs, ctx.form), None


class _ConvolutionBackward(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, gradient: Tensor, input: Tensor, weight: Tensor, needs: Any, form: Any
    ) -> Any:
        ctx.save_for_backward(gradient, input, weight)
        ctx.form = form
        ctx.set_materialize_grads(False)
        return _backward(gradient, input, weight, needs, form)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *tangents: Tensor | None) -> Any:
        gradient, input, weight = ctx.saved_tensors
        along_input, along_weight, along_bias = tangents
        grows = None
        if ctx.needs_input_grad[0]:
            grows = _tangent(input, weight, along_input, along_weight, ctx.form)
            if along_bias is not None:
                shift = along_bias[:, None, None]
                grows = shift.expand_as(gradient) if grows is None else grows + shift
        needs = (
            ctx.needs_input_grad[1] and along_weight is not None,
            ctx.needs_input_grad[2] and along_input is not None,
            False,
        )
        # Both are bilinear, so a tangent may take the place of what it is a tangent of.
        of_input = input if along_input is None else along_input
        of_weight = weight if along_weight is None else along_weight
        rows = _backward(gradient, of_input, of_weight, needs, ctx.form)
        return grows, rows[0], rows[1], None, None


def _tangent(
    input: Tensor,
    weight: Tensor,
    along_input: Tensor | None,
    along_weight: Tensor | None,
    form: Any,
) -> Tensor | None:
    """Return the derivative of the convolution along tangents of its input and weight."""
    pairs = (along_input, weight), (input, along_weight)
    parts = [
        functional.conv2d(x, w, None, *form) for x, w in pairs if x is not None and w is not None
    ]
    return sum(parts[1:], parts[0]) if parts else None


def _backward(gradient: Tensor, input: Tensor, weight: Tensor, needs: Any, form: Any) -> Any:
    if not any(needs):
        return None, None, None
    stride, padding, dilation, groups = form
    return torch.ops.aten.convolution_backward(
        gradient, input, weight, [len(weight)], stride, padding, dilation, False, (0, 0), groups,
        needs,
    )  # fmt: skip


def _avg_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    kernel, steps = _pair(kernel_size), _pair(stride or kernel_size)
    centred = all(
        size % 2 and 2 * pad == size - 1 for size, pad in zip(kernel, _pair(padding), strict=True)
    )
    if steps != (1, 1) or not centred or divisor_override is not None or input.dim() != 4:
        return functional.avg_pool2d(
            input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        )
    pooled = _Mean.apply(input, kernel)
    if count_include_pad:
        return pooled
    inside = functional.avg_pool2d(torch.ones_like(input[:1, :1]), kernel, 1, _pair(padding))
    return pooled / inside


class _Mean(torch.autograd.Function):
    """A mean over windows, zeros around the image included; the operation is self-adjoint."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, kernel: tuple[int, int]) -> Tensor:
        ctx.kernel = kernel
        return functional.avg_pool2d(input, kernel, 1, (kernel[0] // 2, kernel[1] // 2))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return _Mean.apply(gradients[0], ctx.kernel), None


def _pair(number: Any) -> tuple[int, int]:
    return (number, number) if isinstance(number, int) else (number[0], number[-1])


REPLACEMENTS: dict[Any, Callable[..., Tensor]] = {
    functional.conv2d: _conv2d,
    functional.avg_pool2d: _avg_pool2d,
}
