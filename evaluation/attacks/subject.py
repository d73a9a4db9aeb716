"""The network under test: in eval mode, looked at before the work begins, left as it was."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from evaluation.attacks.victim import LEAST_ROWS
from testbed.basis.seeding import global_draws
from testbed.networks.copying import unwrapped
from testbed.networks.errors import NetworkError
from testbed.networks.images import check_images
from testbed.networks.independence import by_how_much, influence, neighbours
from testbed.networks.logits import check_labels, check_logits
from testbed.networks.modes import own_modes
from testbed.networks.outcome import called

__all__ = ["StatefulNetworkError", "Subject", "subject"]


class StatefulNetworkError(NetworkError, RuntimeError):
    """A network that remembers what it saw, in eval mode too."""


class Subject:
    """A network whose answers mean something.

    Attributes:
        network: unwrapped, in eval mode.
        classes: the number of its logits, K.
    """

    def __init__(self, network: nn.Module, images: Tensor, labels: Tensor) -> None:
        self.network = network
        # All of them in turn, not the first again and again: that one is looked at.
        few = neighbours(images) if len(images) < 2 else images[:LEAST_ROWS]
        self._images = few.repeat(-(-LEAST_ROWS // len(few)), 1, 1, 1)[:LEAST_ROWS]
        before = _buffers(network)
        self._first = self._logits(self._images)
        self.classes = self._first.shape[1]
        check_labels(labels, self.classes)
        changed = _differences(before, network)
        if changed:
            raise StatefulNetworkError(
                f"the network changes its buffers in eval mode ({', '.join(changed[:3])}), so its "
                "outputs may depend on what it saw before and its accuracies mean nothing: change "
                "them in train mode only (if self.training)"
            )
        self._refuse_influence()

    def _logits(self, images: Tensor) -> Tensor:
        with torch.no_grad(), global_draws("subject", device=images.device):
            return check_logits(called(self.network, images.clone()), len(images))

    def _refuse_influence(self) -> None:
        alone = self._logits(self._images[:1].repeat(len(self._images), 1, 1, 1))
        change = influence(self.network, self._images, alone[:1], self._first[:1])
        if change is not None:
            raise NetworkError(
                f"images influence each other: the first one's logits change {by_how_much(change)} "
                "when it comes alone, so that accuracies would depend on the batch; put batch "
                "norms into eval mode, with running statistics, and keep other statistics over "
                "the batch out of the forward pass"
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
            logits depend on those beside it, or the network changes its buffers in eval mode.
    """
    network = unwrapped(network)
    check_images(images, labels, "N")
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
