"""CLEVER: the margin over the largest slope that extreme-value theory expects around an image.

Weng et al., "Evaluating the Robustness of Neural Networks: An Extreme Value Theory Approach",
ICLR 2018, algorithm 2 (untargeted).
"""

import torch
from torch import Tensor

from proxies.conditions import (
    OptionError,
    UndefinedError,
    require_derivative,
    require_independence,
)
from proxies.input_gradients import batch_logits
from proxies.operators import jacobian
from proxies.probe import Probe, Score
from proxies.robust.weibull import end_points

__all__ = ["clever"]

NORMS = {"inf": 1.0, "2": 2.0}  # the norm of the ball → the dual one, of the gradient


def clever(
    probe: Probe, *, images: int = 4, batches: int = 10, samples: int = 2, radius: float = 8.0,
    norm: str = "inf",
) -> Score:  # fmt: skip
    """Return mean_i min_k min((f_y − f_k)(x_i) / L_ik, R), in units of 1/255.

    y is the class that the network predicts, so that no label is needed. L_ik is the location of
    a reverse Weibull law fitted to the maxima, one of each of ``batches`` groups of ``samples``
    points drawn evenly from the ball of radius R around x_i, of ‖∇(f_y − f_k)‖_q. The paper draws
    500 × 1,024 points an image; the default is a sketch of it that costs as much as five Jacobian
    norms. The points are not cut to [0, 1].

    Args:
        probe: the network and its batch.
        images: the number of images, the first ones of the batch; 0 stands for all.
        batches: the number of groups.
        samples: the number of points in a group.
        radius: R, in units of 1/255; a score that reaches it says no more than that.
        norm: ``inf`` or ``2``, the norm of the ball.

    Returns:
        The score; its details say how many of the margins were cut to R (``capped``), and how many
        fits have no finite location (``unbounded``), so that the largest slope stands in.

    Raises:
        OptionError: for an option that makes no sense.
        UndefinedError: if logits or derivatives are not finite.
    """
    if norm not in NORMS or min(batches, samples) < 1 or images < 0 or not radius > 0:
        raise OptionError(
            f"clever needs images ≥ 0, batches ≥ 1, samples ≥ 1, radius > 0 and a norm of "
            f"{', '.join(NORMS)}; got {images}, {batches}, {samples}, {radius}, {norm!r}"
        )
    require_derivative(probe)
    logits = batch_logits(probe)
    require_independence(probe, logits)
    count = min(images or len(logits), len(logits))
    logits = logits[:count].double().cpu()
    chosen = logits.argmax(1)
    slopes = _slopes(probe, chosen, batches * samples, radius / 255, norm)  # (count, points, K)
    if not bool(slopes.isfinite().all()) or not bool(logits.isfinite().all()):
        raise UndefinedError("the logits or their derivatives are not finite numbers")
    maxima = slopes.unflatten(1, (batches, samples)).amax(2)  # (count, batches, K)
    ends, known = end_points(maxima.mT.flatten(0, 1))
    margins = logits.gather(1, chosen[:, None]) - logits
    # Where a slope is 0 no step within the ball leads to the other class.
    radii = (255 * margins / ends.view_as(margins)).nan_to_num(nan=radius)
    # The image's own class stands for R, which no radius may pass.
    others = torch.ones_like(margins, dtype=torch.bool).scatter(1, chosen[:, None], False)
    values = radii.masked_fill(~others, radius).amin(1)
    return Score.mean_of(
        values, capped=int((values >= radius).sum()),
        unbounded=int((~known.view_as(others) & others).sum()),
    )  # fmt: skip


def _slopes(probe: Probe, chosen: Tensor, points: int, radius: float, norm: str) -> Tensor:
    """Return ‖∇(f_y − f_k)‖ at random points around each image, (images, points, K) in float64."""
    moved = torch.cat([
        probe.images[i] + _ball(probe, i, points, radius, norm).to(probe.images)
        for i in range(len(chosen))
    ])  # fmt: skip
    owners, found = chosen.repeat_interleave(points), []
    for part in probe.parts(probe.fast.classes * moved[0].nbytes, moved):
        _, rows = jacobian(probe.fast.network, part)
        for sample in rows:
            label = int(owners[len(found)])
            found.append(torch.stack([
                torch.linalg.vector_norm(sample[label] - row, NORMS[norm], dtype=torch.float64)
                for row in sample
            ]).cpu())  # fmt: skip
    return torch.stack(found).unflatten(0, (len(chosen), points))


def _ball(probe: Probe, image: int, points: int, radius: float, norm: str) -> Tensor:
    """Return points drawn evenly from a ball around zero, (points, C, H, W)."""
    source = probe.generator("clever", norm, image)
    shape = (points, *probe.images.shape[1:])
    if norm == "inf":
        return radius * (2 * torch.rand(shape, generator=source, dtype=torch.float64) - 1)
    ways = torch.randn(shape, generator=source, dtype=torch.float64)
    lengths = torch.rand(points, generator=source, dtype=torch.float64) ** (1 / ways[0].numel())
    return ways * (radius * lengths / ways.flatten(1).norm(dim=1))[:, None, None, None]
