"""The nearest point of a hyperplane inside the box [0, 1], in ℓ∞ and ℓ2.

Coordinate i may move towards the hyperplane by at most uᵢ before it meets the box. In ℓ∞ all
move by the same t, in ℓ2 by t |wᵢ|, each until its uᵢ. What w · z gains is then
Σ aᵢ min(t, rᵢ), with aᵢ = |wᵢ|, rᵢ = uᵢ in ℓ∞ and aᵢ = wᵢ², rᵢ = uᵢ / |wᵢ| in ℓ2: concave and
piecewise linear in t, so that sorting the rᵢ finds the t that closes the gap.

Croce and Hein, "Minimally distorted adversarial examples with a fast adaptive boundary
attack", ICML 2020, section 2.2.
"""

import torch
from torch import Tensor

__all__ = ["to_hyperplane"]


def to_hyperplane(points: Tensor, normals: Tensor, offsets: Tensor, norm: str) -> Tensor:
    """Return the shortest moves (n, d) from points (n, d) in [0, 1] to hyperplanes w · z = b.

    Where the hyperplane misses the box, the move goes to the corner nearest to it.

    Args:
        points: (n, d).
        normals: w, (n, d).
        offsets: b, (n,).
        norm: ``Linf`` or ``L2``.
    """
    kind, gap = points, offsets - (normals * points).sum(1)
    # In float64 from here on: the square of a small slope is 0 in float32.
    points, normals, gap = points.double(), normals.double(), gap.double()
    direction = normals.sign() * gap.sign()[:, None]
    room = torch.where(direction > 0, 1 - points, points) * (direction != 0)
    slopes = normals.abs()
    if norm == "Linf":
        rates, ends = slopes, room
    else:
        rates, ends = slopes.square(), room / slopes.clamp_min(torch.finfo(slopes.dtype).tiny)
    reach = _fill(rates, ends, gap.abs())[:, None]
    steps = torch.minimum(reach if norm == "Linf" else reach * slopes, room)
    return (direction * steps).to(kind)


def _fill(rates: Tensor, ends: Tensor, wanted: Tensor) -> Tensor:
    """Return the least t (n,) with Σ rates · min(t, ends) = wanted; ∞ if there is none."""
    ends, order = ends.sort(1)
    rates = rates.gather(1, order)
    full = (rates * ends).cumsum(1)  # of the coordinates that have met the box
    moving = rates.flip(1).cumsum(1).flip(1) - rates  # of those after them
    gained = full + ends * moving
    place = torch.searchsorted(gained, wanted[:, None]).clamp_max(ends.shape[1] - 1)
    # Before coordinate `place` meets its end, it and all after it still move.
    done = (full - rates * ends).gather(1, place)
    rate = (moving + rates).gather(1, place)
    reach = ((wanted[:, None] - done) / rate)[:, 0]
    return torch.where(gained[:, -1] < wanted, torch.inf, reach).nan_to_num(nan=0.0)
