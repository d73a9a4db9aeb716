"""Forward passes that can be differentiated twice.

Some of torch's kernels have a first derivative only. Under `twice_differentiable` a forward
pass runs the same functions from operations that have a second one; the derivatives may then
be taken outside it. What has none even so is refused with a `NoSecondDerivativeError`.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

from testbed.basis.errors import ToolkitError

__all__ = ["NoSecondDerivativeError", "explained", "require", "twice_differentiable"]

MISSING = ("torch::autograd::Error", "torch::autograd::NotImplemented")
# What torch says of a node without a derivative, of a function marked once_differentiable,
# and of cuDNN's recurrent layers.
MESSAGES = (
    r"the derivative for '(\w+)'|derivative for (\S+) is not|differentiate twice"
    r"|[Dd]ouble backward"
)


class NoSecondDerivativeError(ToolkitError, RuntimeError):
    """A network contains an operation that can be differentiated only once."""


@contextmanager
def twice_differentiable() -> Iterator[None]:
    """Let a forward pass use kernels that can be differentiated twice.

    Attention runs its math kernel; ``hardsigmoid``, ``cdist``, ``pdist`` and weight
    normalisation are put together from elementary operations. Values and first derivatives
    stay what they are, up to rounding.
    """
    with sdpa_kernel(SDPBackend.MATH), _Replace():
        yield


@contextmanager
def explained() -> Iterator[None]:
    """Turn torch's errors about missing second derivatives into `NoSecondDerivativeError`."""
    try:
        yield
    except RuntimeError as error:
        found = re.search(MESSAGES, str(error))
        if found is None:
            raise
        name = (found[1] or found[2] or "a function of this network").removeprefix("aten::")
        raise NoSecondDerivativeError(f"torch has no second derivative through {name}") from error


def require(gradients: Iterable[Tensor]) -> None:
    """Raise if a gradient's graph has nodes that stand for a missing derivative.

    Torch does not report all of them: it silently leaves the contribution of a function that is
    marked ``once_differentiable`` out of a product with a Hessian.

    Raises:
        NoSecondDerivativeError: if there is such a node.
    """
    pending = [gradient.grad_fn for gradient in gradients]
    seen = {None, *pending}
    while pending:
        node = pending.pop()
        if node is None:
            continue
        if node.name() in MISSING:
            raise NoSecondDerivativeError(
                "this network has an operation that torch cannot differentiate twice"
            )
        following = {after for after, _ in node.next_functions} - seen
        seen |= following
        pending += following


class _Replace(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        replacement: Callable[..., Any] = REPLACEMENTS.get(func) or func
        return replacement(*args, **(kwargs or {}))


def _hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    value = functional.relu6(input + 3) / 6
    return input.copy_(value) if inplace else value


def _cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: Any = None) -> Tensor:
    return _length(x1.unsqueeze(-2) - x2.unsqueeze(-3), p)


def _pdist(input: Tensor, p: float = 2.0) -> Tensor:
    first, second = torch.triu_indices(len(input), len(input), 1, device=input.device)
    return _length(input[first] - input[second], p)


def _length(difference: Tensor, p: float) -> Tensor:
    # Of a vector of zeros all derivatives are 0, as the first is in torch.
    zero = (difference == 0).all(-1)
    safe = torch.where(zero[..., None], 1, difference)
    return torch.where(zero, 0, torch.linalg.vector_norm(safe, p, -1))


def _weight_norm(v: Tensor, g: Tensor, dim: int = 0) -> Tensor:
    # The second derivative of torch's own takes the norms of v for constants, and is wrong.
    axes = [axis for axis in range(v.dim()) if axis != dim % v.dim()] if dim != -1 else None
    return v * (g / torch.linalg.vector_norm(v, dim=axes, keepdim=dim != -1))


native: Any = torch._C._nn  # type: ignore[attr-defined]
REPLACEMENTS: dict[Any, Callable[..., Tensor]] = {
    functional.hardsigmoid: _hardsigmoid,
    native.hardsigmoid: _hardsigmoid,
    native.hardsigmoid_: lambda input: _hardsigmoid(input, inplace=True),
    torch.cdist: _cdist,
    functional.pdist: _pdist,
    torch._weight_norm: _weight_norm,  # type: ignore[attr-defined]
}
