"""The end of a distribution, from the maxima of samples: the location of a reverse Weibull law.

Maxima of bounded variables tend to P(X ≤ x) = exp(−((a − x)/s)^c) for x < a (Fisher and Tippett
1928). The likelihood of (a, c, s) is maximised over s in closed form, over c by Newton's method,
and over a on a grid that is refined. It is unbounded for c < 1, where a falls on the largest
maximum, so c ≥ 1 is asked; and it may rise all the way to a → ∞, where maxima look unbounded.
"""

import torch
from torch import Tensor

__all__ = ["end_points"]

GRID = 25
NEAR, FAR = 1e-4, 1e3  # distances of a from the largest maximum, in extents of the maxima
ZOOMS = 6
STEPS = 8  # of Newton's method, for log c


def end_points(maxima: Tensor) -> tuple[Tensor, Tensor]:
    """Return the maximum-likelihood location a of each row, and whether there is one.

    Where all maxima of a row are alike, that is its location. Where the likelihood has no finite
    maximum, or a row has fewer than three maxima, the largest maximum stands in.

    Args:
        maxima: maxima of samples, (N, M).

    Returns:
        The locations, (N,) in float64, and a bool tensor (N,), false where the largest stands in.
    """
    maxima = maxima.double()
    top = maxima.amax(1)
    extent = top - maxima.amin(1)
    alike = extent <= 1e-9 * top.abs()
    if maxima.shape[1] < 3:
        return top, alike
    scaled = (top[:, None] - maxima) / torch.where(alike, 1.0, extent)[:, None]  # (N, M), in [0, 1]
    low, high = (torch.full_like(top, distance).log() for distance in (NEAR, FAR))
    bounded = torch.ones_like(alike)
    for zoom in range(ZOOMS):
        shares = torch.linspace(0, 1, GRID, dtype=torch.float64)
        logs = low[:, None] + (high - low)[:, None] * shares  # (N, GRID)
        best = _likelihood(scaled[:, None, :] + logs.exp()[:, :, None]).argmax(1)
        if zoom == 0:
            bounded = best < GRID - 1
        width = (high - low) / (GRID - 1)
        centre = logs.gather(1, best[:, None])[:, 0]
        low, high = (centre - width).clamp(min=low), (centre + width).clamp(max=high)
    found = top + extent * centre.exp()
    return torch.where(alike | ~bounded, top, found), alike | bounded


def _likelihood(distances: Tensor) -> Tensor:
    """Return the log-likelihood a sample of y = a − x, (…, M) → (…), −∞ where c < 1.

    With s at its best, log s^c = log mean y^c, and the derivative over c vanishes where
    1/c = Σ y^c log y / Σ y^c − mean log y, whose right side rises with c.
    """
    logs = distances.log()
    logs = logs - logs.amax(-1, keepdim=True)  # the unit of y does not matter to c
    mean = logs.mean(-1)
    t = torch.log(1 / (-mean).clamp(min=1e-9))  # log c, exact for a single far smallest y
    for _ in range(STEPS):
        c = t.exp()
        weights = (c[..., None] * logs).softmax(-1)
        first = (weights * logs).sum(-1)
        slope = (weights * logs.square()).sum(-1) - first.square()
        value = first - mean - 1 / c
        t = (t - (value / (c * slope + 1 / c)).clamp(-2, 2)).clamp(-20, 20)
    c = t.exp()
    log_mean = (c[..., None] * logs).logsumexp(-1) - torch.tensor(float(logs.shape[-1])).log()
    # In the unit of the original y: the density has a factor 1/y for each.
    likelihood = t - log_mean + c * mean - distances.log().mean(-1)
    return torch.where(c >= 1, likelihood, -torch.inf)
