"""The input of a proxy: one network, one batch, and work that is done once for all proxies."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from proxies.budget import Budget
from proxies.calibration import FEW
from proxies.copies import Copies, copies
from proxies.gram import Gram, gram
from proxies.loss_gradients import LossGradients, loss_gradients
from proxies.operators import chunks
from proxies.piecewise import is_piecewise_linear
from proxies.preparation import resolve
from proxies.shared_work import SharedWork
from proxies.tape import Tape, record
from testbed.basis.seeding import generator
from testbed.networks.errors import NetworkError
from testbed.networks.fast import FastCopy
from testbed.networks.logits import check_labels

__all__ = ["DEFAULT_MEMORY", "Probe", "Score"]

DEFAULT_MEMORY = 2**30


@dataclass(frozen=True)
class Score:
    """A proxy's value for one network, and how it was computed.

    Attributes:
        value: the score; NaN where it is undefined.
        reason: why the score is NaN, or a warning; None if there is neither.
        converged: whether an iterative estimator met its tolerance for every sample.
        iterations: the number of products with the operator, the largest over the parts of
            the batch.
        residual: the largest relative residual ‖Hv − θv‖ / |θ| among the samples.
        seconds: the wall time, including shared work as if this proxy had been alone, without
            what a process does once, such as imports.
        failed: whether the reason lies in this run rather than in the network; such a score
            is not stored.
        details: further facts by name.
    """

    value: float
    reason: str | None = None
    converged: bool | None = None
    iterations: int | None = None
    residual: float | None = None
    seconds: float = 0.0
    failed: bool = False
    details: dict[str, Any] = field(default_factory=dict)

    def __float__(self) -> float:
        return self.value

    @staticmethod
    def mean_of(values: Tensor, reason: str | None = None, **details: Any) -> "Score":
        """Return the mean of the values of the samples, (B,), with their extent in the details."""
        extent = {"min": float(values.min()), "max": float(values.max())}
        return Score(float(values.mean()), reason, details=details | extent)


class Probe:
    """A network, a batch, and the quantities that several proxies need.

    The module is copied; it stays unchanged. Every quantity is computed at its first use and
    kept. One that this network does not have raises `proxies.conditions.UndefinedError`.

    Args:
        module: a network from images (B, C, H, W) in [0, 1] to logits (B, K).
        images: the batch; its dtype and device are those of the computation.
        labels: the class numbers, (B,); None if no proxy needs them.
        batch_norm: ``auto`` or one of `preparation.BATCH_NORM_MODES`.
        key: words that random draws depend on, such as the architecture and its seed.
        memory: the number of bytes that a part of the batch may take, for Jacobians; or another
            probe's budget, to share it.
    """

    def __init__(
        self,
        module: nn.Module,
        images: Tensor,
        labels: Tensor | None,
        *,
        batch_norm: str = "auto",
        key: tuple[object, ...] = (),
        memory: int | Budget = DEFAULT_MEMORY,
    ) -> None:
        self.module, self.images = module, images
        self._labels = labels
        self.batch_norm = resolve(module, batch_norm)
        self.key = key
        self.budget = memory if isinstance(memory, Budget) else Budget(memory)
        self._work = SharedWork()
        self._over_budget: dict[str, Any] = {}

    def timed(self, function: Callable[["Probe"], Score]) -> tuple[Score, float]:
        """Return a proxy's score and its cost in seconds, shared work included."""
        return self._work.timed(lambda: function(self))

    def shared(self, name: str, compute: Callable[[], Any]) -> Any:
        """Return a piece of work by its name, computed at its first use.

        It is computed with gradients enabled, whoever asks first.
        """

        def enabled() -> Any:
            with torch.enable_grad():
                return compute()

        return self._work.get(name, enabled)

    def generator(self, *words: object) -> torch.Generator:
        """Return a generator that depends on the probe's key and on ``words`` alone."""
        return generator(*self.key, *words)

    @property
    def memory(self) -> int:
        """Return the number of bytes that a part of the batch may take now."""
        return self.budget.size

    @property
    def labels(self) -> Tensor:
        """Return the class numbers, (B,).

        Raises:
            NetworkError: if no labels were given.
        """
        if self._labels is None:
            raise NetworkError("a proxy compares with the true classes: give labels, (B,) int64")
        return self._labels

    def check(self) -> None:
        """Run the network, and check that the labels are classes of it.

        Raises:
            NetworkError: if the network cannot be copied or run or gives no logits, or a label
                is not one of its classes.
        """
        if self._labels is not None:
            check_labels(self._labels, self.fast.classes)

    @property
    def ran(self) -> bool:
        """Say whether the network was run: not for a structural score."""
        return self._work.has("copies")

    @property
    def copies(self) -> Copies:
        """Return the network in its batch-norm mode, plain and fast."""
        make = lambda: copies(self.module, self.images, self.batch_norm)  # noqa: E731
        return self.shared("copies", make)

    @property
    def network(self) -> nn.Module:
        """Return the copy with its batch-norm statistics in place, and nothing else changed."""
        return self.copies.fast.plain

    @property
    def fast(self) -> FastCopy:
        """Return the copy for derivatives over the images, as fast as this network allows."""
        return self.copies.fast

    @property
    def piecewise_linear(self) -> bool:
        """Say whether the logits are piecewise linear in the images."""
        return self.shared("piecewise", lambda: is_piecewise_linear(self.fast, self.images[:1]))

    @property
    def gram(self) -> Gram:
        """Return the logits and J Jᵀ of every sample."""
        return self.shared("gram", lambda: gram(self))

    @property
    def tape(self) -> Tape:
        """Return the recorded forward pass of the batch through the plain copy."""
        make = lambda: record(self.network, self.fast.arrange(self.images))  # noqa: E731
        return self.shared("tape", make)

    @property
    def loss_gradients(self) -> LossGradients:
        """Return the gradients of the batch's mean cross-entropy over the parameters."""
        make = lambda: loss_gradients(self.tape, self.labels)  # noqa: E731
        return self.shared("loss gradients", make)

    @property
    def given_labels(self) -> Tensor | None:
        """Return the labels that were given, or None."""
        return self._labels

    def networks(self) -> dict[str, nn.Module]:
        """Return the copies of the network that were made by now, by their use."""
        found: dict[str, nn.Module] = {}
        if self._work.has("copies"):
            found |= {"plain": self.network, "fast": self.fast.network}
        if self._work.has("tape"):
            found["tape"] = self.tape.network
        return found

    def renew(self, images: Tensor, labels: Tensor | None) -> None:
        """Forget all shared work, and go on with these images and labels."""
        self.images, self._labels, self._work = images, labels, SharedWork()

    def parts(self, bytes_beside: int, images: Tensor | None = None) -> list[Tensor]:
        """Return the parts of the images that fit into the memory budget each.

        Args:
            bytes_beside: the bytes that an image takes beside the graph.
            images: the images to divide, (N, C, H, W); those of the batch by default.
        """
        images = self.fast.arrange(self.images if images is None else images)
        if self.batch_norm == "batch":  # a sample's output depends on all the others
            return [images]
        need = self.fast.alone.graph_bytes + bytes_beside
        parts = list(chunks(images, self.memory // max(1, need), self.fast.least_rows))
        largest = need * len(parts[0])
        self.budget.note(largest, len(parts) < len(images) // self.fast.least_rows)
        if largest > self.budget.given:
            self._over_budget["memory"] = (
                f"{len(parts[0])} images, the smallest part there is, take {largest / 2**30:.2g} "
                f"GiB, more than the budget of {self.budget.given / 2**30:.2g}"
            )
        return parts

    def notes(self) -> tuple[list[str], dict[str, Any]]:
        """Return the warnings for a score's reason and the facts for its details known so far."""
        if not self.ran:
            return [], {}
        facts = dict(self._over_budget)
        if self.fast.given_up:
            given_up = self.fast.given_up.items()
            facts["given_up"] = "; ".join(f"{trick}: {why}" for trick, why in given_up)
        count = self.copies.calibrated_from
        if count is None or count >= FEW:
            return [], facts
        facts["calibrated_from"] = count
        return [
            f"batch norm was calibrated from {count} values a channel where they are fewest "
            f"(from {FEW} on it is not noted): give more images, or larger ones"
        ], facts
