"""How far an image may be moved in ℓ∞ before, to first order, another class wins.

r_i = min_{k ≠ y} (f_y − f_k) / ‖∇_x (f_y − f_k)‖₁, the distance to the nearest boundary of a
linear network (Hein and Andriushchenko, "Formal Guarantees on the Robustness of a Classifier",
NeurIPS 2017; Moosavi-Dezfooli et al., "DeepFool", CVPR 2016). At initialisation one logit is the
largest for nearly all images, by a constant that no image decides, so the logits are standardised
first: f_k minus its mean in the batch, over its standard deviation in the batch, both held constant
in the derivative.
"""

import torch
from torch import Tensor

from proxies.conditions import UndefinedError, require_independence
from proxies.input_gradients import batch_logits
from proxies.jacobian_rows import jacobian_rows
from proxies.probe import Probe, Score

__all__ = ["first_order_radius", "first_order_radius_predicted"]

ROUNDING = 1e-6  # of a logit, in float32: a deviation below it is none


def first_order_radius(probe: Probe) -> Score:
    """Return mean_i r_i with y the label, in units of 1/255; negative where another class wins.

    Raises:
        UndefinedError: if a logit does not differ between images, or a class cannot be reached.
    """
    return _radius(probe, probe.labels)


def first_order_radius_predicted(probe: Probe) -> Score:
    """Return mean_i r_i with y the largest standardised logit; no labels are needed.

    Raises:
        UndefinedError: as `first_order_radius`.
    """
    return _radius(probe, None)


def _radius(probe: Probe, labels: Tensor | None) -> Score:
    logits = batch_logits(probe).double().cpu()
    if len(logits) < 2:
        raise UndefinedError("logits are standardised over the batch: give at least two images")
    scale = logits.std(0, correction=0)
    if bool((scale <= ROUNDING * logits.abs().amax(0)).any()) or not bool(logits.isfinite().all()):
        raise UndefinedError("a logit is the same for all images, or not finite: it has no scale")
    standard = (logits - logits.mean(0)) / scale
    chosen = standard.argmax(1) if labels is None else labels.cpu()
    found, first = [], 0
    for _, rows in jacobian_rows(probe):
        for sample in rows:
            found.append(_of_sample(standard[first], sample, scale, int(chosen[first])))
            first += 1
    require_independence(probe, batch_logits(probe))
    radii = torch.stack(found)
    if not bool(radii.isfinite().all()):
        raise UndefinedError(
            "for some image no step changes the difference of two logits to first order, or "
            "derivatives are not finite: there is no radius"
        )
    return Score.mean_of(255 * radii)


def _of_sample(logits: Tensor, rows: Tensor, scale: Tensor, label: int) -> Tensor:
    """Return the radius of a sample from its standardised logits (K,) and its Jacobian (K, D)."""
    own = rows[label].double().cpu() / scale[label]
    lengths = torch.stack([
        (own - row.double().cpu() / size).abs().sum()
        for row, size in zip(rows, scale, strict=True)
    ])  # fmt: skip
    others = torch.arange(len(logits)) != label
    return ((logits[label] - logits) / lengths)[others].min()
