"""Convolutions that a CPU must not compute in channels-last order.

In channels-last order oneDNN (met in torch 2.13, with AVX2 and with AVX-512) writes past the
end of a buffer when it takes the weight gradient of a 1 × 1 convolution with strides and
without padding whose input channels do not fill its vectors: it packs the strided pixels a
whole vector at a time. The interpreter dies, or the gradient is silently wrong. Gradients over
images, other kernels and the contiguous order are safe. A 1 × 1 convolution with strides is
one without on every s-th pixel, for which nothing is packed.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

__all__ = ["safe_strides"]

PACKED_CHANNELS = 16  # float32 numbers in the widest vector


class safe_strides(TorchFunctionMode):  # noqa: N801 - used as a context manager
    """Let a forward pass skip pixels before its strided 1 × 1 convolutions, in any order.

    The function and all its derivatives stay what they are; the derivatives may be taken
    outside the context. Nothing is skipped where the input channels fill the vectors.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (functional.conv2d, torch.conv2d):
            return _conv2d(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    steps = _pair(stride)
    packed = tuple(weight.shape[2:]) == (1, 1) and max(steps) > 1
    fills = weight.shape[1] * groups % PACKED_CHANNELS == 0
    if packed and not fills and padding in (0, (0, 0), [0, 0], "valid", "same"):
        input, steps = input[..., :: steps[0], :: steps[1]], (1, 1)
    return functional.conv2d(input, weight, bias, steps, padding, dilation, groups)


def _pair(number: Any) -> tuple[int, int]:
    return (number, number) if isinstance(number, int) else (number[0], number[-1])
