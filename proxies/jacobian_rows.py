"""The per-sample Jacobians of the logits, computed once where they fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from torch import Tensor

from proxies.conditions import require_derivative
from proxies.operators import jacobian

if TYPE_CHECKING:
    from proxies.probe import Probe

__all__ = ["jacobian_rows"]

KEPT = 2**26  # bytes of Jacobians that are kept for the next proxy that asks


def jacobian_rows(probe: Probe) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield logits (b, K) and Jacobians (b, K, D) of one part of the batch after the other.

    Raises:
        UndefinedError: if the logits have no derivative over the images.
    """
    require_derivative(probe)
    classes = probe.fast.classes
    size = classes * probe.images.nbytes
    if size <= min(KEPT, probe.memory // 4):
        yield from probe.shared("jacobian rows", lambda: list(_rows(probe)))
    else:
        yield from _rows(probe)


def _rows(probe: Probe) -> Iterator[tuple[Tensor, Tensor]]:
    for images in probe.parts(probe.fast.classes * probe.images[0].nbytes):
        yield jacobian(probe.fast.network, images)
