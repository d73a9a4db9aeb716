"""The same function, faster: one builder of the copy that proxies and attacks differentiate.

Three tricks make a network in eval mode cheaper to differentiate over its images: batch norms
folded into convolutions, the channels-last memory layout, and parameters that require no
gradient. None of them is safe for every module: somebody may read a convolution's output,
depend on strides, or differentiate over the weights. So the copy with all tricks is compared
with the plain one on the batch in hand, logits and a gradient, and what does not hold is given
up, for this network only.
"""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from testbed.networks.copying import working_copy
from testbed.networks.errors import NetworkError
from testbed.networks.folding import folded
from testbed.networks.independence import relative_change
from testbed.networks.memory import not_of_memory
from testbed.networks.outcome import Outcome, explained, outcome
from testbed.networks.rows import MANY, least_rows

__all__ = ["FastCopy", "OwnInput", "channels_last", "fast_copy"]

TRICKS = ("frozen", "layout", "folding")
# What rounding may change: a logit, relative to the largest, and a gradient, relative to its norm.
CLOSE = {torch.float32: (5e-5, 1e-2), torch.float64: (1e-11, 1e-8)}
# Up to here it may still be rounding, which in a deep network adds up and flips a ReLU now and
# then; beyond, it is another function.
DOUBTFUL = (1e-3, 0.2)


@dataclass(frozen=True)
class _Change:
    """How far two networks differ on an image, and how far they are allowed to."""

    logits: float
    gradient: float
    logits_limit: float
    gradient_limit: float

    @property
    def words(self) -> str:
        """Return how far they differ: an infinity is a change from zeros, or to or from NaN."""
        logits, gradient = (
            f"by {change:.1g}" if math.isfinite(change) else "altogether"
            for change in (self.logits, self.gradient)
        )
        return f"changes logits {logits}, a gradient {gradient}"

    @property
    def small(self) -> bool:
        return self.logits <= self.logits_limit and self.gradient <= self.gradient_limit

    @property
    def doubtful(self) -> bool:
        return self.logits <= DOUBTFUL[0] and self.gradient <= DOUBTFUL[1]


class OwnInput(nn.Module):
    """A network that gets images of its own, since it writes into them."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, (N, K); the images stay."""
        return self.network(images.clone())


@dataclass(frozen=True)
class FastCopy:
    """A network's copy for derivatives over images.

    Attributes:
        network: the copy, a function from images (N, C, H, W) to logits (N, K).
        alone: its outcome on the first image by itself.
        plain: the network that it was made from and compared with.
        given_up: why a trick does not hold for this network, by the name of the trick.
    """

    network: nn.Module
    alone: Outcome
    plain: nn.Module
    given_up: dict[str, str] = field(default_factory=dict)

    @property
    def classes(self) -> int:
        """Return the number of classes K."""
        return self.alone.logits.shape[1]

    @property
    def least_rows(self) -> int:
        """Return how many images a pass needs for last bits that do not depend on that number."""
        # Below, kernels add up in another order; with all tricks, on one thread, later.
        single = not self.given_up and torch.get_num_threads() == 1
        return least_rows(self.network) if single else MANY

    def arrange(self, images: Tensor) -> Tensor:
        """Return images in the memory layout that the copy is fastest with."""
        return images if "layout" in self.given_up else channels_last_images(images)


def fast_copy(plain: nn.Module, images: Tensor, *, batch: bool = False) -> FastCopy:
    """Return the fastest copy of a network that is the same function.

    Args:
        plain: a network in the mode in which it is to be differentiated; it is left unchanged.
        images: (N, C, H, W); the copies are compared on the first, by itself.
        batch: whether images influence each other on purpose (batch norm in train mode); the
            networks are then compared on two images at a time, or on all where two do not do.

    Raises:
        NetworkError: if the network fails, or does not give logits.
    """
    truth = _Truth(plain, images, batch)
    alone, why = truth.compare(TRICKS)
    if alone is not None:
        return FastCopy(*alone, truth.plain)
    held: tuple[str, ...] = ()
    best, given_up = (truth.plain, truth.outcome(0)), {}
    for trick in TRICKS:
        candidate, why = truth.compare((*held, trick))
        if candidate is None:
            given_up[trick] = why
        else:
            best, held = candidate, (*held, trick)
    return FastCopy(*best, truth.plain, given_up)


class _Truth:
    """The plain network, and its outcomes on single images."""

    def __init__(self, plain: nn.Module, images: Tensor, batch: bool) -> None:
        self.plain = plain
        count = 2 if batch else 1
        self.probes = [images[:count], *images[count : 2 * count].split(count)]
        self.outcomes: dict[int, Outcome] = {}
        try:
            self.outcome(0)
        except NetworkError as error:
            not_of_memory(error)
            # A squeeze may drop the dimension of a batch of one: an image twice is as good. Batch
            # norm in train mode may ask for more values than two images have.
            twice = [torch.cat([probe, probe]) for probe in self.probes]
            self.probes = [images] if batch and len(images) > 1 else twice
            self.outcome(0)
        if self.outcomes[0].writes:
            self.plain = OwnInput(plain)

    def outcome(self, number: int) -> Outcome:
        """Return the plain network's outcome on an image."""
        if number not in self.outcomes:
            self.outcomes[number] = outcome(self.plain, self.probes[number])
        return self.outcomes[number]

    def compare(self, tricks: tuple[str, ...]) -> tuple[tuple[nn.Module, Outcome] | None, str]:
        """Return a copy with these tricks and its outcome, or None and why it is not the same."""
        try:
            network = _built(self.plain, tricks)
            first = outcome(network, _arranged(self.probes[0], tricks))
            change = _change(first, self.outcome(0))
            if change.small or (change.doubtful and self._second_opinion(network, tricks)):
                return (network, first), ""
        except Exception as error:  # what breaks on a trick does without it
            not_of_memory(error)
            return None, explained(error.__cause__ or error)
        return None, change.words

    def _second_opinion(self, network: nn.Module, tricks: tuple[str, ...]) -> bool:
        """Say whether another image, or else float64, finds that the functions are the same."""
        for number, probe in enumerate(self.probes[1:], 1):
            found = outcome(network, _arranged(probe, tricks))
            if _change(found, self.outcome(number)).small:
                return True
        plain, probe = working_copy(self.plain).double(), self.probes[0].double()
        found = outcome(_built(plain, tricks), _arranged(probe, tricks))
        return _change(found, outcome(plain, probe)).small


def _built(plain: nn.Module, tricks: tuple[str, ...]) -> nn.Module:
    network = folded(plain) if "folding" in tricks else working_copy(plain)
    if "frozen" in tricks:
        network.requires_grad_(False)
    if "layout" in tricks:
        channels_last(network)
        _keep_one_kernel(network)
    return network


def _arranged(images: Tensor, tricks: tuple[str, ...]) -> Tensor:
    return channels_last_images(images) if "layout" in tricks else images


def _change(found: Outcome, truth: Outcome) -> _Change:
    logits = relative_change(found.logits, truth.logits)
    limits = CLOSE[truth.logits.dtype]
    if found.gradient is None or truth.gradient is None:
        return _Change(logits, 0.0 if found.gradient is truth.gradient else math.inf, *limits)
    now, before = found.gradient.double(), truth.gradient.double()
    if torch.equal(now.nan_to_num(), before.nan_to_num()):
        return _Change(logits, 0.0, *limits)
    return _Change(logits, float((now - before).norm() / before.norm()), *limits)


def _keep_one_kernel(network: nn.Module) -> None:
    # On one thread PyTorch gives a 1 × 1 convolution of fewer than 16 images to another kernel,
    # which rounds otherwise (on AVX2 at least), unless it is dilated, which means nothing here.
    for layer in network.modules():
        if type(layer) is nn.Conv2d and layer.kernel_size == (1, 1):
            layer.dilation = (2, 2)


def channels_last(network: nn.Module) -> nn.Module:
    """Put a network's convolution weights into channels-last order, in place."""
    # On a CPU, pooling is several times faster in it and convolutions no slower.
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def channels_last_images(images: Tensor) -> Tensor:
    """Return images in channels-last order."""
    return images.contiguous(memory_format=torch.channels_last)
