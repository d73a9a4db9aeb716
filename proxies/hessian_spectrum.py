"""Traces and the spectrum of the loss's Hessian, over the images and over the parameters.

Yao et al., "PyHessian: Neural Networks Through the Lens of the Hessian", 2020; Ghorbani, Krishnan
and Xiao, "An Investigation into Neural Net Optimization via Hessian Eigenvalue Density", ICML 2019.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

from proxies.conditions import (
    OptionError,
    UndefinedError,
    require_derivative,
    require_independence,
    require_parameters,
)
from proxies.difference_hessian import DifferenceInputHessian, DifferenceParameterHessian
from proxies.extremes import DIFFERENCES
from proxies.hessian_operators import InputHessian, ParameterHessian
from proxies.hessian_parameters import parameter_tricks
from proxies.jacobian import MASKED
from proxies.probe import Probe, Score
from proxies.second_order import NoSecondDerivativeError
from proxies.stochastic import Spectrum, hutchinson, quadrature, signs

__all__ = [
    "hessian_input_trace",
    "hessian_params_entropy",
    "hessian_params_negative",
    "hessian_params_trace",
]

T = TypeVar("T")
METHODS = ("auto", "exact", "hutchinson")


def hessian_input_trace(probe: Probe, *, method: str = "auto", samples: int = 8) -> Score:
    """Return mean_i tr H_i, H_i the Hessian of sample i's cross-entropy over its pixels.

    Where the logits are piecewise linear in the image, H_i = JᵀSJ with S = diag(p) − p pᵀ, and
    the trace is Σ_kl S_kl (JJᵀ)_kl, exactly. Elsewhere Hutchinson's estimate.

    Args:
        probe: the network and its batch.
        method: ``exact`` (only where it holds), ``hutchinson``, or ``auto``: exact where it holds.
        samples: the number of random vectors an image, for the estimate.

    Raises:
        OptionError: for an option that makes no sense.
        UndefinedError: if the images have no derivatives of their own.
    """
    if method not in METHODS or samples < 1:
        raise OptionError(
            f"method is one of {', '.join(METHODS)} and samples at least 1; got {method!r} "
            f"and {samples}"
        )
    if method == "exact" and not probe.piecewise_linear:
        raise OptionError(
            "the exact form of the input Hessian holds for piecewise-linear networks only; use "
            "method 'hutchinson'"
        )
    if method != "hutchinson" and probe.piecewise_linear:
        gram = probe.gram
        p = gram.logits.softmax(1)
        mean = (p[:, :, None] * gram.products * p[:, None, :]).sum((1, 2))
        traces = (p * gram.products.diagonal(dim1=1, dim2=2)).sum(1) - mean
        return Score.mean_of(traces, MASKED if gram.masked else None, method="exact")
    require_derivative(probe)
    require_independence(probe)
    found, how = _input_estimates(probe, samples)
    return _estimated(found, how)


def hessian_params_trace(probe: Probe, *, samples: int = 8) -> Score:
    """Return Hutchinson's estimate of tr H, H the batch loss's Hessian over the parameters.

    Its standard error stands in the details; it falls as 1/√``samples``.

    Raises:
        OptionError: for less than one sample.
        UndefinedError: if no parameter reaches the loss.
    """
    _check(samples)
    found, how = _with_operator(
        probe, lambda operator: hutchinson(operator, _draws(probe, samples, operator.shape))
    )
    return _estimated(found, how)


def hessian_params_negative(probe: Probe, *, starts: int = 1, steps: int = 16) -> Score:
    """Return Σ_{λ<0} |λ| / Σ |λ|, how much of the Hessian over the parameters curves downwards.

    From the density of stochastic Lanczos quadrature; the details say what its spread says of
    the trace and of tr H².

    Raises:
        OptionError: for less than one start or two steps.
        UndefinedError: if no parameter reaches the loss, or the Hessian is 0.
    """
    spectrum, details = _spectrum(probe, starts, steps)
    return Score(spectrum.negative_share, details=details)


def hessian_params_entropy(probe: Probe, *, starts: int = 1, steps: int = 16) -> Score:
    """Return −Σ p log p, p = |λ| / Σ |λ|: the logarithm of how many eigenvalues share the mass.

    From the density of stochastic Lanczos quadrature, as `hessian_params_negative`.

    Raises:
        OptionError: as `hessian_params_negative`.
        UndefinedError: as `hessian_params_negative`.
    """
    spectrum, details = _spectrum(probe, starts, steps)
    return Score(spectrum.entropy, details=details)


def _spectrum(probe: Probe, starts: int, steps: int) -> tuple[Spectrum, dict[str, Any]]:
    _check(starts)
    if steps < 2:
        raise OptionError(f"a spectrum takes at least two steps; got {steps}")
    name = f"spectrum over the parameters {starts} {steps}"
    spectrum, how = probe.shared(name, lambda: _with_operator(
        probe, lambda operator: quadrature(operator, _draws(probe, starts, operator.shape), steps)
    ))  # fmt: skip
    if not bool(spectrum.points.isfinite().all()):
        raise UndefinedError("the second derivatives are not finite numbers")
    if not bool(spectrum.points.any()):
        raise UndefinedError("the Hessian is 0: its spectrum has no mass")
    moments = {"trace": spectrum.moment(1), "trace_of_square": spectrum.moment(2)}
    return spectrum, {"method": how, **moments}


def _with_operator(probe: Probe, work: Callable[[Any], T]) -> tuple[T, str]:
    """Return what comes of the Hessian over the parameters, and how it was multiplied with."""
    require_parameters(probe)
    network, images, labels = probe.network, probe.images, probe.labels
    try:
        operator = ParameterHessian(network, images, labels, **parameter_tricks(probe))
        return work(operator), "double backward"
    except NoSecondDerivativeError:
        return work(DifferenceParameterHessian(network, images, labels)), DIFFERENCES


def _input_estimates(probe: Probe, samples: int) -> tuple[Tensor, str]:
    """Return zᵀ H_i z, (S, B)."""
    shape = (samples, len(probe.images), probe.images[0].numel())
    vectors = signs(shape, probe.generator("trace", "input", samples)).to(probe.images)
    kinds: tuple[tuple[Any, Any, str], ...] = (
        (InputHessian, probe.fast.network, "hutchinson"),
        (DifferenceInputHessian, probe.network, f"hutchinson, {DIFFERENCES}"),
    )
    for kind, network, how in kinds:
        found, first = [], 0
        try:
            for part in probe.parts(probe.fast.alone.graph_bytes + 4 * probe.images[0].nbytes):
                rows = slice(first, first + len(part))
                first += len(part)
                operator = kind(network, part, probe.labels[rows])
                found.append(hutchinson(operator, vectors[:, rows]))
            return torch.cat(found, 1), how
        except NoSecondDerivativeError as error:
            missing = error
    raise UndefinedError(str(missing))


def _draws(probe: Probe, count: int, shape: tuple[int, int]) -> Tensor:
    if not shape[1]:
        raise UndefinedError("no parameter of the network reaches the loss")
    source = probe.generator("trace", "parameters", count)
    return signs((count, *shape), source).to(probe.images)


def _estimated(found: Tensor, how: str) -> Score:
    """Return the mean of estimates (S, N) over all, with its standard error."""
    if not bool(found.isfinite().all()):
        raise UndefinedError("the second derivatives are not finite numbers")
    means = found.mean(1)
    value = float(means.mean())
    if len(means) < 2:
        return Score(value, details={"method": how})
    error = float(means.std() / len(means) ** 0.5)
    noise = (
        f"an estimate of {len(means)} random vectors, within twice its standard error of "
        f"{error:.2g} from 0: its sign is not known; give more samples"
    )
    doubt = noise if abs(value) < 2 * error else None
    return Score(value, doubt, details={"method": how, "standard_error": error})


def _check(count: int) -> None:
    if count < 1:
        raise OptionError(f"expected at least one random vector; got {count}")
