"""The network under test: in eval mode, looked at before the work begins, left as it was."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from evaluation.attacks.victim import pad
from testbed.networks.copying import unwrapped
from testbed.networks.errors import NetworkError
from testbed.networks.images import check_images
from testbed.networks.independence import ROUNDING, influence, neighbours, relative_change
from testbed.networks.logits import check_labels, check_logits
from testbed.networks.modes import own_modes
from testbed.networks.outcome import explained
from testbed.seeding import global_draws

__all__ = ["Subject", "subject"]


class Subject:
    """A network whose answers mean something.

    Attributes:
        network: unwrapped, in eval mode.
        classes: the number of its logits, K.
        notes: what is to be known of it, in sentences for the result's warnings.
    """

    def __init__(self, network: nn.Module, images: Tensor, labels: Tensor) -> None:
        self.network, self.notes = network, []
        self._images = pad(neighbours(images) if len(images) < 2 else images[:16])
        before = _buffers(network)
        self._first = self._logits(self._images)
        self.classes = self._first.shape[1]
        check_labels(labels, self.classes)
        self._changed = _differences(before, network)
        if self._changed:
            self._refuse_memory()
        self._refuse_influence()

    def doubts(self) -> list[str]:
        """Return what became doubtful meanwhile: call it when the work is done."""
        if not self._changed or not self._moved():
            return []
        return [
            f"the network's outputs drifted: it changes {self._changed[0]} in eval mode, so the "
            "results depend on what was asked before"
        ]

    def _logits(self, images: Tensor) -> Tensor:
        with torch.no_grad(), global_draws("subject", device=images.device):
            try:
                return check_logits(self.network(images.clone()), len(images))
            except NetworkError:
                raise
            except Exception as error:  # whatever a user's forward may raise
                raise NetworkError(
                    f"the network fails on images {tuple(images.shape)} of {images.dtype} on "
                    f"{images.device}: {explained(error)}"
                ) from error

    def _moved(self) -> bool:
        return relative_change(self._logits(self._images), self._first) > self._rounding

    @property
    def _rounding(self) -> float:
        return ROUNDING[self._first.dtype]

    def _refuse_memory(self) -> None:
        if self._moved():
            raise NetworkError(
                f"the network changed its buffers in eval mode ({', '.join(self._changed[:3])}), "
                "and its outputs with them: they depend on what it saw before, so that its "
                "accuracies would mean nothing"
            )
        self.notes.append(
            f"note: the network changes {', '.join(self._changed[:3])} in eval mode, which did not "
            "change its outputs, and was put back"
        )

    def _refuse_influence(self) -> None:
        alone = self._logits(self._images[:1].repeat(len(self._images), 1, 1, 1))
        change = influence(self.network, self._images, alone[:1], self._first[:1])
        if change is not None:
            raise NetworkError(
                f"images influence each other: the first one's logits change by {change:.1g} of "
                "the largest when it comes alone, so that accuracies would depend on the batch; "
                "put batch norms into eval mode, with running statistics, and keep other "
                "statistics over the batch out of the forward pass"
            )


@contextmanager
def subject(network: nn.Module, images: Tensor, labels: Tensor) -> Iterator[Subject]:
    """Give a network to work with; its modes and buffers are as before afterwards.

    Args:
        network: images (N, C, H, W) in [0, 1] → logits (N, K).
        images: (N, C, H, W), float32 or float64, on the network's device.
        labels: the true classes, (N,).

    Raises:
        NetworkError: if the network, the images or the labels cannot be worked with, an image's
            logits depend on those beside it, or on what the network saw before.
    """
    network = unwrapped(network)
    check_images(images, labels)
    training = {module: module.training for module in network.modules()}
    buffers = _buffers(network)
    with own_modes(images.device):
        network.eval()
        try:
            yield Subject(network, images, labels)
        finally:
            for module, mode in training.items():
                module.training = mode
            _put_back(buffers, network)


def _buffers(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.named_buffers()}


def _differences(before: dict[str, Tensor], network: nn.Module) -> list[str]:
    now = dict(network.named_buffers())
    return [name for name, value in before.items() if not _same(value, now.get(name))]


def _same(a: Tensor, b: Tensor | None) -> bool:
    if b is None or a.shape != b.shape or a.dtype != b.dtype:
        return False
    both_nan = (a != a) & (b != b)
    return bool(((a == b) | both_nan).all())


def _put_back(buffers: dict[str, Tensor], network: nn.Module) -> None:
    changed = _differences(buffers, network)
    for name in changed:
        owner, _, last = name.rpartition(".")
        module = network.get_submodule(owner)
        value = module._buffers.get(last)
        if value is not None and value.shape == buffers[name].shape and not value.is_inference():
            with torch.no_grad():
                value.copy_(buffers[name])
        else:
            module._buffers[last] = buffers[name]
