"""L-SWAG: gradient statistics of layers times their number of sample-wise patterns.

Casarin, Escalera and Lanz, "L-SWAG: Layer-Sample Wise Activation with Gradients Information for
Zero-Shot NAS on Vision Transformers", CVPR 2025, arXiv:2505.07300.
"""

import math

from proxies.activation.patterns import distinct_units
from proxies.conditions import UndefinedError
from proxies.part_gradients import loss_of, part_gradients, require_images
from proxies.probe import Probe, Score

__all__ = ["lswag"]


def lswag(probe: Probe) -> Score:
    """Return [Σ_l log Σ_w 1/√Var|g_w|] times the number of layer-wise patterns.

    g is the gradient of a sample's loss, the variance (with 1/n) goes over the samples; weights
    without one are left out. The patterns are the distinct units of each non-linearity, added up.
    The authors restrict l to a band of layers that was chosen on 1,000 trained networks; here
    all layers count.
    """
    require_images(probe, 2, "a variance over samples")
    total, layers = 0.0, 0
    for group in part_gradients(probe, len(probe.images), loss_of):
        for rows in group.values():
            spread = rows.double().abs().var(0, correction=0).sqrt()
            spread = spread[spread > 0]
            if len(spread):
                total, layers = total + math.log(float((1 / spread).sum())), layers + 1
    if not layers:
        raise UndefinedError("no weight's gradient differs between the samples")
    patterns = sum(distinct_units(probe))
    return Score(total * patterns, details={"gradients": total, "patterns": patterns})
