"""Gradient signal preservation: what a step against the gradient does to the gradient's norm.

Wang, Zhang and Grosse, "Picking Winning Tickets Before Training by Preserving Gradient Flow",
ICLR 2020, equation 8, summed over the weights.
"""

from dataclasses import replace

import torch
from torch import Tensor

from proxies.difference_hessian import DifferenceParameterHessian
from proxies.extremes import DIFFERENCES
from proxies.hessian_operators import ParameterHessian
from proxies.hessian_parameters import parameter_tricks
from proxies.loss_gradients import require_weights
from proxies.probe import Probe, Score
from proxies.second_order import NoSecondDerivativeError

__all__ = ["grasp"]


def grasp(probe: Probe) -> Score:
    """Return −Σ θ ∘ (H g) over the weights, H and g of the batch's mean cross-entropy over them.

    The sign is the one that the public zero-cost code uses. A convolution before a batch norm in
    train mode is free of scale, so that its part is ‖g_l‖², up to the batch norm's ε.
    """
    require_weights(probe.tape)
    wanted = set(probe.tape.weights)
    try:
        operator = ParameterHessian(
            probe.network, probe.images, probe.labels, **parameter_tricks(probe)
        )
        how, score = {}, _grasp(operator, wanted)
    except NoSecondDerivativeError:
        operator = DifferenceParameterHessian(probe.network, probe.images, probe.labels)
        how, score = {"method": DIFFERENCES}, _grasp(operator, wanted)
    return replace(score, details=score.details | how)


def _grasp(operator: ParameterHessian | DifferenceParameterHessian, wanted: set[str]) -> Score:
    chosen = torch.cat([
        torch.full((parameter.numel(),), name in wanted, device=parameter.device)
        for name, parameter in operator.named_parameters.items()
    ])  # fmt: skip
    gradient = operator.gradient * chosen
    product = operator(gradient)[0].double()[chosen]
    return Score(float(-(_flat(operator)[chosen] @ product)))


def _flat(operator: ParameterHessian | DifferenceParameterHessian) -> Tensor:
    parameters = operator.named_parameters.values()
    return torch.cat([parameter.detach().flatten().double() for parameter in parameters])
