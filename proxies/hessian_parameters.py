"""The top eigenvalue of the batch loss's Hessian over the parameters.

Yao et al., "PyHessian: Neural Networks Through the Lens of the Hessian", 2020.
"""

import math
from dataclasses import replace

import torch
from torch import Tensor

from proxies.conditions import require_parameters
from proxies.difference_hessian import DifferenceParameterHessian
from proxies.extremes import DIFFERENCES, check_method, extremes, random_start, score_of
from proxies.hessian_operators import ParameterHessian
from proxies.probe import Probe, Score
from proxies.second_order import NoSecondDerivativeError
from testbed.networks.memory import not_of_memory

__all__ = ["hessian_parameters", "parameter_tricks"]

FLIP = 0.02  # of a gradient's norm: what rounding, and a ReLU that it flips, may change


def hessian_parameters(
    probe: Probe,
    *,
    which: str = "magnitude",
    method: str = "lanczos",
    tolerance: float = 1e-3,
    max_iterations: int = 200,
) -> Score:
    """Return an extreme eigenvalue of the batch loss's Hessian over the parameters.

    The options are those of `hessian_input`, without the exact form.
    """
    check_method(method)
    require_parameters(probe)
    network, images, labels = probe.network, probe.images, probe.labels
    tricks = parameter_tricks(probe)
    kinds = (
        (method, lambda: ParameterHessian(network, images, labels, **tricks)),
        (
            f"{method}, {DIFFERENCES}",
            lambda: DifferenceParameterHessian(network, images, labels),
        ),
    )
    found, how = extremes(
        kinds, lambda shape: random_start(probe, "parameters", shape), which, method, tolerance,
        max_iterations,
    )  # fmt: skip
    score = score_of([found], how)
    return replace(score, details=score.details | ({} if all(tricks.values()) else {"plain": True}))


def parameter_tricks(probe: Probe) -> dict[str, bool]:
    """Return which tricks of `ParameterHessian` keep the gradient, on one or two images."""
    return probe.shared("parameter tricks", lambda: _tricks(probe))


def _tricks(probe: Probe) -> dict[str, bool]:
    tricks = {
        "fold": "folding" not in probe.fast.given_up,
        "channels_last": "layout" not in probe.fast.given_up,
    }
    plain = dict.fromkeys(tricks, False)
    batch = probe.batch_norm == "batch"
    images, labels = (probe.images[:2], probe.labels[:2]) if batch else (
        probe.images[:1].repeat(2, 1, 1, 1), probe.labels[:1].repeat(2)
    )  # fmt: skip

    def gradient(chosen: dict[str, bool]) -> Tensor:
        return ParameterHessian(probe.network, images, labels, **chosen).gradient

    if not any(tricks.values()):
        return plain
    try:
        change = _distance(gradient(tricks), gradient(plain))
    except NoSecondDerivativeError:
        return tricks  # nobody will use them
    except Exception as error:  # what breaks on a trick does without
        not_of_memory(error)
        return plain
    return tricks if change <= FLIP else plain


def _distance(now: Tensor, before: Tensor) -> float:
    if now.shape != before.shape:
        return math.inf
    if torch.equal(now.nan_to_num(), before.nan_to_num()):
        return 0.0
    return float((now - before).double().norm() / before.double().norm())
