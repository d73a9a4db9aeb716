"""What a proxy is asked about: one network, one batch, and work done once for all proxies."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from proxies.operators import chunks, jacobian
from proxies.piecewise import is_piecewise_linear
from proxies.preparation import prepare, resolve
from proxies.shared_work import SharedWork
from testbed.folding import freeze
from testbed.seeding import generator

__all__ = ["DEFAULT_MEMORY", "Probe", "Score"]

DEFAULT_MEMORY = 2**30


@dataclass(frozen=True)
class Score:
    """A proxy's value for one network, and how it came about.

    Attributes:
        value: the score; NaN where it is undefined.
        reason: why it is NaN, or a warning.
        converged: whether an iterative estimator met its tolerance for every sample.
        iterations: products with the operator, at most over the parts of the batch.
        residual: the largest relative residual ‖Hv − θv‖ / |θ| among the samples.
        seconds: wall time, shared work included as if this proxy had been alone.
        details: what else is known, by name.
    """

    value: float
    reason: str | None = None
    converged: bool | None = None
    iterations: int | None = None
    residual: float | None = None
    seconds: float = 0.0
    details: dict[str, Any] = field(default_factory=dict)

    def __float__(self) -> float:
        return self.value

    @staticmethod
    def mean_of(values: Tensor, **details: Any) -> "Score":
        """Return the mean of one value a sample, (B,), with their extent in the details."""
        extent = {"min": float(values.min()), "max": float(values.max())}
        return Score(float(values.mean()), details=details | extent)


class Probe:
    """A network, a batch, and the quantities that several proxies need.

    The module is copied; it stays as it was. Everything is lazy and computed once.

    Args:
        module: images (B, C, H, W) in [0, 1] → logits (B, K).
        images: the batch; its dtype and device are those of the computation.
        labels: (B,) class numbers.
        batch_norm: ``auto`` or one of `preparation.BATCH_NORM_MODES`.
        key: words that random draws depend on, such as the architecture and its seed.
        memory: bytes that the graph of one part of the batch may take, for Jacobians.
    """

    def __init__(
        self,
        module: nn.Module,
        images: Tensor,
        labels: Tensor,
        *,
        batch_norm: str = "auto",
        key: tuple[object, ...] = (),
        memory: int = DEFAULT_MEMORY,
    ) -> None:
        self.module, self.images, self.labels = module, images, labels
        self.batch_norm = resolve(module, batch_norm)
        self.key, self.memory = key, memory
        self._work = SharedWork()

    def timed(self, function: Callable[["Probe"], Score]) -> tuple[Score, float]:
        """Return a proxy's score and its cost in seconds, borrowed work included."""
        return self._work.timed(lambda: function(self))

    def generator(self, *words: object) -> torch.Generator:
        """Return a generator that depends on the probe's key and on ``words`` alone."""
        return generator(*self.key, *words)

    @property
    def network(self) -> nn.Module:
        """The copy with its batch-norm statistics in place."""
        return self._work.get("network", lambda: prepare(self.module, self.images, self.batch_norm))

    @property
    def frozen(self) -> nn.Module:
        """The copy for derivatives over the images: folded, without parameter gradients."""
        return self._work.get("frozen", lambda: freeze(self.network))

    @property
    def piecewise_linear(self) -> bool:
        """Whether the logits are piecewise linear in the images."""
        return self._work.get(
            "piecewise", lambda: is_piecewise_linear(self.frozen, self.images[:1])
        )

    def parts(self) -> list[Tensor]:
        """Return the parts of the images whose graphs fit into the memory budget each."""
        images = self.images.contiguous(memory_format=torch.channels_last)
        if self.batch_norm == "batch":  # a sample's output depends on all the others
            return [images]
        return list(chunks(self.frozen, images, self.memory))

    @property
    def gram(self) -> tuple[Tensor, Tensor]:
        """The logits (B, K) and J Jᵀ (B, K, K) of every sample, in float64 on the CPU."""
        return self._work.get("gram", partial(_gram, self))


def _gram(probe: Probe) -> tuple[Tensor, Tensor]:
    parts = probe.parts()
    logits, products = torch.empty(0), []
    for images in parts:
        logits, rows = jacobian(probe.frozen, images)
        rows = rows.double()
        products.append((rows @ rows.mT).cpu())
    if len(parts) > 1:
        # The last bits of a matrix product depend on its number of rows, so the logits are
        # those of the whole batch however it was divided.
        with torch.no_grad():
            logits = probe.frozen(torch.cat(parts))
    return logits.detach().double().cpu(), torch.cat(products)
