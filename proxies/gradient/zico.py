"""ZiCo: how steady the gradients of several batches are, layer by layer.

Li et al., "ZiCo: Zero-shot NAS via Inverse Coefficient of Variation on Gradients", ICLR 2023,
equation 10.
"""

import math

from torch import Tensor

from proxies.conditions import OptionError, UndefinedError
from proxies.part_gradients import loss_of, part_gradients, require_images
from proxies.probe import Probe, Score

__all__ = ["zico", "zico_reference"]


def zico(probe: Probe, *, parts: int = 2) -> Score:
    """Return Σ_l log Σ_w E|g_w| / √Var|g_w| over the layers' weights.

    g is the gradient of the mean loss of a part of the batch, E and Var (with 1/n) go over the
    parts. The authors take whole batches; here the batch in hand is divided. Weights whose
    gradient has one magnitude in all parts are left out, and a layer that has no others.
    """
    return _zico(probe, parts, lambda rows: rows.abs().var(0, correction=0).sqrt())


def zico_reference(probe: Probe, *, parts: int = 2) -> Score:
    """Return Σ_l log Σ_w E|g_w| / √Var g_w, as the authors' code has it: the signed deviation."""
    return _zico(probe, parts, lambda rows: rows.var(0, correction=0).sqrt())


def _zico(probe: Probe, parts: int, deviation) -> Score:
    if parts < 2:
        raise OptionError(f"a variance over parts needs at least two of them; got {parts}")
    require_images(probe, parts, f"the batch is divided into {parts} parts")
    total, counted = 0.0, 0
    for group in part_gradients(probe, parts, loss_of):
        for rows in group.values():
            layer = _layer(rows.double(), deviation)
            if layer > 0:
                total, counted = total + math.log(layer), counted + 1
    if not counted:
        raise UndefinedError("no weight's gradient differs between the parts of the batch")
    return Score(total, details={"layers": counted})


def _layer(rows: Tensor, deviation) -> float:
    spread = deviation(rows)
    known = spread > 0
    return float((rows.abs().mean(0)[known] / spread[known]).sum()) if bool(known.any()) else 0.0
