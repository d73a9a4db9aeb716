"""Training the network of a genotype; one that is resumed ends with the same bits."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from testbed.basis.errors import ToolkitError
from testbed.basis.seeding import generator, global_draws
from testbed.images import ImageSet
from testbed.images.own.pixels import StoredPixels
from testbed.networks.accuracy import accuracy
from testbed.networks.normalise import normalised
from testbed.spaces.weights import random_network
from testbed.train.attacked import attacked
from testbed.train.augmentation import Augmentation
from testbed.train.checkpoint import parsed_name, plain, sizes_of
from testbed.train.own import OwnNetworks
from testbed.train.recipe import Recipe

__all__ = ["DivergedError", "Epoch", "TrainingState", "accuracy", "train"]


class DivergedError(ToolkitError, RuntimeError):
    """A training whose loss or weights are no longer finite numbers."""


@dataclass(frozen=True)
class Epoch:
    """The results of an epoch, on the augmented images and while the weights changed.

    Of an adversarial training they are those of the attacked images.

    Attributes:
        loss: the mean cross-entropy, in nats.
        accuracy: the share of images classified rightly.
    """

    loss: float
    accuracy: float


@dataclass(frozen=True, eq=False)
class TrainingState:
    """The state of a training, from which it can be resumed.

    Attributes:
        weights: the network's state dict, parameters and buffers, on the CPU.
        momentum: the momentum of each parameter that has had a gradient, by name, on the CPU.
        history: the results of the epochs done.
    """

    weights: dict[str, Tensor]
    momentum: dict[str, Tensor] = field(default_factory=dict)
    history: tuple[Epoch, ...] = ()


def train(
    genotype: Any,
    recipe: Recipe,
    images: ImageSet,
    seed: int,
    *,
    device: torch.device | str = "cpu",
    state: TrainingState | None = None,
    on_epoch: Callable[[TrainingState], None] | None = None,
    on_batch: Callable[[float], None] | None = None,
    own: OwnNetworks | None = None,
) -> tuple[nn.Module, tuple[Epoch, ...]]:
    """Return the trained network, in eval mode, and the history of its epochs.

    The initial weights are those of ``random_network(genotype, seed)``. The order of the
    images, the flips, the crops and the attack's starts of an epoch depend on (genotype, seed,
    epoch) alone, so a
    training that goes on from a state ends with the same bits as one that was never
    interrupted, on the CPU with the same number of threads.

    Args:
        genotype: the name of the network, or what is printed as its name.
        recipe: the sizes, the optimiser and the augmentation of the training.
        images: the images to train on; the network takes them normalised by their mean and std, and
            does not contain that layer (see `testbed.networks.normalise`).
        seed: the seed of the initial weights and of the training.
        device: the device that computes; the network stays there.
        state: the state to resume from, as an earlier call passed it to ``on_epoch``.
        on_epoch: is called after each epoch with the state.
        on_batch: is called after each batch with the number of epochs done, not rounded.
        own: how the network is built, if it is a user's own; it takes images in [0, 1] as they are.

    Raises:
        DivergedError: at the end of an epoch after which the loss or a weight is not finite.
    """
    name = str(genotype)
    if own is None:
        space, found = parsed_name(name)
        name = space.name(found)
        network = random_network(
            space, found, seed, "random", classes=images.classes, in_channels=images.shape[0],
            **sizes_of(recipe, space),
        )  # fmt: skip
    else:
        network = own.build(name, seed, images.classes)
    if state is not None:
        network.load_state_dict(state.weights)
    # Code of others may read memory as it lies.
    layout = torch.channels_last if plain(network) else torch.preserve_format
    network.to(device, memory_format=layout)  # pyright: ignore[reportCallIssue]
    optimiser = _optimiser(network, recipe, state)
    history = state.history if state is not None else ()
    whole = network if own is not None else normalised(network, images.mean, images.std)
    loop = _Loop(whole.to(device), images, optimiser)
    for number in range(len(history), recipe.epochs):
        optimiser.param_groups[0]["lr"] = recipe.learning_rate(number)
        source = generator("train", name, seed, number)
        starts = generator("train", "attack", name, seed, number)
        with global_draws("train", "dropout", name, seed, number, device=device):
            epoch = loop.epoch(
                recipe, source, starts, lambda part, n=number: on_batch and on_batch(n + part)
            )
        _check_finite(epoch, network, number, recipe)
        history = (*history, epoch)
        if on_epoch is not None:
            on_epoch(_state(network, optimiser, history))
    return network.eval(), history


class _Loop:
    """The passes over a set of images."""

    def __init__(
        self, network: nn.Module, images: ImageSet, optimiser: torch.optim.Optimizer
    ) -> None:
        self.network, self.optimiser, self.levels = network, optimiser, images.levels
        self.device = next(network.parameters()).device
        self.plain = plain(network)
        pixels = images.pixels
        # Those on the disk are read batch by batch.
        self.pixels = pixels if isinstance(pixels, StoredPixels) else pixels.to(self.device)
        self.labels = images.labels.to(self.device)

    def epoch(
        self, recipe: Recipe, source: torch.Generator, starts: torch.Generator,
        on_batch: Callable[[float], object],
    ) -> Epoch:  # fmt: skip
        """Train on every image once."""
        self.network.train()
        count = len(self.pixels)
        order = torch.randperm(count, generator=source).to(self.device)
        drawn = Augmentation.draw(count, recipe.flip, recipe.padding, source).to(self.device)
        # Sums stay on the device: asking for them would wait for it at every step.
        loss, right, done = 0.0, 0, 0
        for indices in order.split(recipe.batch_size):
            images = drawn.apply(self.pixels, indices).to(torch.float32) / self.levels
            labels = self.labels[indices]
            if not self.plain:
                # Not contiguous(), to which strides of one channel are of either layout.
                images = images.clone(memory_format=torch.contiguous_format)
            if recipe.adversarial is not None:
                images = attacked(self.network, images, labels, recipe.adversarial, starts)
            step_loss, step_right = self._step(images, labels)
            loss, right, done = loss + step_loss, right + step_right, done + len(indices)
            on_batch(done / count)
        return Epoch(float(loss) / count, int(right) / count)

    def _step(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.network(images)
        loss = cross_entropy(logits, labels)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        return loss.detach().double() * len(labels), (logits.detach().argmax(1) == labels).sum()


def _optimiser(
    network: nn.Module, recipe: Recipe, state: TrainingState | None
) -> torch.optim.Optimizer:
    optimiser = torch.optim.SGD(
        network.parameters(),
        lr=recipe.lr,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay,
    )
    for name, parameter in network.named_parameters():
        if state is not None and name in state.momentum:
            buffer = torch.empty_like(parameter).copy_(state.momentum[name])
            optimiser.state[parameter]["momentum_buffer"] = buffer
    return optimiser


def _state(
    network: nn.Module, optimiser: torch.optim.Optimizer, history: tuple[Epoch, ...]
) -> TrainingState:
    buffers = {
        name: optimiser.state[parameter].get("momentum_buffer")
        for name, parameter in network.named_parameters()
        if parameter in optimiser.state
    }
    return TrainingState(
        {name: _copy(tensor) for name, tensor in network.state_dict().items()},
        {name: _copy(buffer) for name, buffer in buffers.items() if buffer is not None},
        history,
    )


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)


def _check_finite(epoch: Epoch, network: nn.Module, number: int, recipe: Recipe) -> None:
    finite = torch.tensor(epoch.loss).isfinite() and all(
        tensor.isfinite().all() for tensor in network.state_dict().values()
    )
    if not finite:
        raise DivergedError(
            f"the training diverged in epoch {number + 1} of {recipe.epochs} (mean loss "
            f"{epoch.loss}): a loss or a weight is no finite number; try a smaller learning "
            f"rate than {recipe.lr} or a larger batch than {recipe.batch_size}"
        )
