"""Gradients of parts of a batch, over the weights: one pass a part, in groups that fit memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from proxies.conditions import OptionError, UndefinedError
from proxies.loss_gradients import require_weights
from testbed.networks.strides import safe_strides

if TYPE_CHECKING:
    from proxies.probe import Probe

__all__ = ["loss_of", "part_gradients", "require_images", "sum_of_logits"]

Value = Callable[[Tensor, "Tensor | None"], Tensor]  # of logits (b, K) and labels (b,)


def loss_of(logits: Tensor, labels: Tensor | None) -> Tensor:
    """Return the mean cross-entropy of a part."""
    assert labels is not None
    return cross_entropy(logits, labels)


def sum_of_logits(logits: Tensor, labels: Tensor | None) -> Tensor:
    """Return the sum of all logits of a part."""
    return logits.sum()


def require_images(probe: Probe, least: int, why: str) -> None:
    """Raise UndefinedError if the batch has less than ``least`` images."""
    if len(probe.images) < least:
        raise UndefinedError(f"{why}: give at least {least} images; got {len(probe.images)}")


def part_gradients(probe: Probe, parts: int, value: Value) -> Iterator[dict[str, Tensor]]:
    """Yield the gradients of a value of each of several parts of the batch, (parts, n) a weight.

    The parts are consecutive and as equal as can be; with as many parts as images each is a
    sample of its own. Weights come in groups whose gradients fit into the memory budget, each
    group with passes of its own; one group is kept for whoever asks next.

    Args:
        probe: the network and its batch.
        parts: the number of parts, from 1 to B.
        value: what is differentiated, of the logits and labels of a part.

    Raises:
        OptionError: if there are less images than parts.
        UndefinedError: if no weights reach the logits, or a gradient is not finite.
    """
    if not 1 <= parts <= len(probe.images):
        raise OptionError(
            f"a batch of {len(probe.images)} images has 1 to {len(probe.images)} parts; got {parts}"
        )
    require_weights(probe.tape)
    groups = _groups(probe, parts)
    for names in groups:
        make = lambda names=names: _gradients(probe, parts, value, names)  # noqa: E731
        if len(groups) == 1:
            yield probe.shared(f"gradients of {parts} parts, {value.__name__}", make)
        else:
            yield make()


def _groups(probe: Probe, parts: int) -> list[list[str]]:
    groups: list[list[str]] = [[]]
    filled = 0
    for name, weight in probe.tape.weights.items():
        need = parts * weight.nbytes
        if groups[-1] and filled + need > probe.memory // 2:
            groups.append([])
            filled = 0
        groups[-1].append(name)
        filled += need
        probe.budget.note(2 * filled, len(groups[-1]) > 1)
    return groups


def _gradients(probe: Probe, parts: int, value: Value, names: list[str]) -> dict[str, Tensor]:
    tape, labels = probe.tape, probe.labels if value is loss_of else None
    leaves = [tape.parameters[name] for name in names]
    rows = [leaf.new_zeros((parts, leaf.numel())) for leaf in leaves]
    images = probe.fast.arrange(probe.images).tensor_split(parts)
    classes = labels.tensor_split(parts) if labels is not None else [None] * parts
    for number, (part, own) in enumerate(zip(images, classes, strict=True)):
        with torch.enable_grad(), safe_strides():
            result = value(tape.network(part.clone()), own)
        found = torch.autograd.grad(result, leaves, materialize_grads=True)
        for row, gradient in zip(rows, found, strict=True):
            row[number] = gradient.flatten()
    if not all(bool(row.isfinite().all()) for row in rows):
        raise UndefinedError("the gradients over the weights are not finite numbers")
    return dict(zip(names, rows, strict=True))
