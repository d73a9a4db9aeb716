"""Bounds of how far single operations carry a difference of their inputs, in ℓ2.

Each is an upper bound of ‖f(x) − f(x')‖ / ‖x − x'‖, and mostly the least one. None of them depends
on the input.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from proxies.conditions import UndefinedError

__all__ = [
    "adaptive_overlap",
    "average_norm",
    "batch_norm_norm",
    "convolution_norm",
    "matrix_norm",
    "overlap_norm",
]


def matrix_norm(matrix: Tensor) -> float:
    """Return the largest singular value of a matrix, or of the largest of a batch."""
    return float(torch.linalg.matrix_norm(_exact(matrix), 2).max())


def convolution_norm(weight: Tensor, size: Sequence[int], dilation: Sequence[int],
                     groups: int, transposed: bool = False) -> float:  # fmt: skip
    """Return a bound of a convolution's spectral norm, tight but for what its border cuts off.

    A convolution that pads an image (H, W) with zeros is a part of the one on a torus of
    (H + reach, W + reach) pixels, whose singular values are those of the kernel's Fourier
    transform, frequency by frequency (Sedghi, Gupta and Long, ICLR 2019). Strides only leave
    outputs out. A transposed convolution is the adjoint of one.

    Args:
        weight: the kernel, (C_out, C_in / groups, k, …), of a transposed one (C_in, C_out / groups,
            k, …).
        size: the positions of the denser side, (H, W) or (L,).
        dilation: the distances of the kernel's entries.
        groups: the number of groups.
        transposed: whether it is a transposed one, which makes no difference.
    """
    kernel = _exact(weight)
    dims = list(range(2, kernel.dim()))
    lengths = kernel.shape[2:]
    torus = [
        n + d * (k - 1) if k > 1 else 1 for n, k, d in zip(size, lengths, dilation, strict=True)
    ]
    spread = kernel.new_zeros(*kernel.shape[:2], *torus)
    places = [slice(0, d * (k - 1) + 1, d) for k, d in zip(lengths, dilation, strict=True)]
    spread[(..., *places)] = kernel
    waves = torch.fft.rfftn(spread, dim=dims).flatten(2)  # (C_out, C_in / groups, frequencies)
    matrices = waves.unflatten(0, (groups, -1)).permute(0, 3, 1, 2).flatten(0, 1)
    wide = matrices.shape[1] < matrices.shape[2]
    products = matrices @ matrices.mH if wide else matrices.mH @ matrices
    return math.sqrt(max(0.0, float(torch.linalg.eigvalsh(products)[:, -1].max())))


def batch_norm_norm(variance: Tensor, weight: Tensor | None, eps: float) -> float:
    """Return max_c |γ_c| / √(σ²_c + ε) of a batch norm with fixed statistics."""
    scale = (_exact(variance) + eps).rsqrt()
    return float((scale if weight is None else scale * _exact(weight).abs()).max())


def average_norm(ones: Tensor, back: Tensor) -> float:
    """Return √(largest row sum · largest column sum) of a linear map without negative entries.

    Args:
        ones: its result for an input of ones.
        back: the result of its adjoint for an output of ones.
    """
    return math.sqrt(float(ones.double().max()) * float(back.double().max()))


def overlap_norm(
    kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int] = (1, 1)
) -> float:
    """Return the bound of a maximum over windows: √ of the windows that a pixel is in."""
    # Entry j of window i is pixel i·s + j·d, so that a pixel is every s/gcd(s, d)th entry.
    steps = [s // math.gcd(s, d) for s, d in zip(stride, dilation, strict=True)]
    return math.sqrt(math.prod(-(-k // step) for k, step in zip(kernel, steps, strict=True)))


def adaptive_overlap(size: int, windows: int) -> int:
    """Return in how many windows a pixel is at most that part a row as adaptive poolings do."""
    counts = [0] * size
    for window in range(windows):
        for pixel in range(window * size // windows, -(-(window + 1) * size // windows)):
            counts[pixel] += 1
    return max(counts)


def _exact(tensor: Tensor) -> Tensor:
    exact = tensor.detach().double().cpu()
    if not bool(exact.isfinite().all()):
        raise UndefinedError("weights or statistics of the network are not finite numbers")
    return exact


def without(name: str) -> UndefinedError:
    """Return the error of what has no constant."""
    return UndefinedError(
        f"no finite constant is known of how far {name} carries a difference: the norms of the "
        "layers bound nothing"
    )
