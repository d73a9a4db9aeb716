"""Networks to attack: linear ones with a closed-form optimum, fresh and trained small ones."""

from functools import cache

import torch
from torch import Tensor, nn

from testbed import images
from testbed.networks.normalise import normalised
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.nasbench201.weights import random_network
from tests.small_networks import ONE_OF_EACH


class Linear(nn.Module):
    """Logits W x + b over all pixels; counts nothing, remembers nothing."""

    def __init__(self, classes: int, shape: tuple[int, ...], seed: int = 0) -> None:
        super().__init__()
        source = torch.Generator().manual_seed(seed)
        size = torch.Size(shape).numel()
        self.weight = nn.Parameter(torch.randn(classes, size, generator=source) / size**0.5)
        self.bias = nn.Parameter(torch.randn(classes, generator=source) / 10)

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.weight.T + self.bias

    def radii(self, x: Tensor, labels: Tensor, norm: str) -> Tensor:
        """The least ε that reaches another class, (N,), for pixels far from the box."""
        logits = self(x).detach()
        gaps = logits.gather(1, labels[:, None]) - logits  # (N, K)
        order = 1 if norm == "Linf" else 2
        slopes = (self.weight[labels][:, None] - self.weight).norm(p=order, dim=2).detach()
        others = torch.arange(logits.shape[1]) != labels[:, None]
        return torch.where(others, gaps / slopes, torch.inf).amin(1)


def balanced(classes: int, shape: tuple[int, ...]) -> Linear:
    """All classes meet at the grey image."""
    network = Linear(classes, shape)
    with torch.no_grad():
        network.bias.copy_(-network.weight.sum(1) / 2)
    return network


def duel(shape: tuple[int, ...], classes: int = 5) -> Linear:
    """Two classes that matter, and others too far away: DLR needs 3, its targeted form 4."""
    network = balanced(classes, shape)
    with torch.no_grad():
        network.weight[2:] = 0
        network.bias[2:] = -20
    return network


def at_radius(network: Linear, images: Tensor, labels: Tensor, norm: str, radius: float) -> Tensor:
    """Move images along their class's weights until the least ε of each is the given one."""
    exact = Linear(len(network.bias), images.shape[1:]).double()
    exact.load_state_dict(network.state_dict())
    images = images.double()
    slopes = (exact.weight[labels] - exact.weight.mean(0)).detach().view_as(images)
    high = torch.full((len(images), 1, 1, 1), 3.0, dtype=torch.float64)
    low = -high
    for _ in range(60):
        middle = (low + high) / 2
        near = (exact.radii(images + middle * slopes, labels, norm) < radius).view_as(low)
        low, high = torch.where(near, middle, low), torch.where(near, high, middle)
    return (images + low * slopes).float()


def inner_images(count: int, shape: tuple[int, ...], seed: int = 1) -> Tensor:
    """Images whose pixels stay away from 0 and 1."""
    source = torch.Generator().manual_seed(seed)
    return 0.4 + 0.2 * torch.rand(count, *shape, generator=source)


def fresh_network(classes: int = 10) -> nn.Module:
    """A cell network for colour images, its batch norms with values of their own throughout."""
    network = random_network(Genotype.parse(ONE_OF_EACH), 0, channels=4, cells=1, classes=classes)
    source = torch.Generator().manual_seed(1)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for values, scale, least in (
                (layer.weight.data, 1.0, 0.5), (layer.bias.data, 0.6, -0.3),
                (layer.running_mean, 0.4, -0.2), (layer.running_var, 1.0, 0.5),
            ):  # fmt: skip
                assert values is not None
                values.copy_(least + scale * torch.rand(values.shape, generator=source))
    network.eval()
    with torch.no_grad():  # so that several classes are predicted
        network.classifier.bias -= network(colour_images(64)[0]).mean(0)
    return network


def colour_images(count: int) -> tuple[Tensor, Tensor]:
    """Images, a third of whose pixels are at 0 or 1, and labels of no meaning."""
    source = torch.Generator().manual_seed(4)
    images = torch.rand(count, 3, 8, 8, generator=source).mul(1.5).sub(0.25).clamp(0, 1)
    return images, torch.arange(count) % 10


@cache
def _trained(index: int) -> dict[str, Tensor]:
    train = images.load("digits", split="train")
    network = _bare(index)
    optimiser = torch.optim.SGD(network.parameters(), 0.1, momentum=0.9, nesterov=True)
    inputs, labels = train.images(torch.arange(len(train))), train.labels
    for epoch in range(4):
        order = torch.randperm(len(train), generator=torch.Generator().manual_seed(epoch))
        for rows in order.split(64):
            loss = nn.functional.cross_entropy(network(inputs[rows]), labels[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def _bare(index: int) -> nn.Module:
    train = images.load("digits", split="train")
    network = random_network(Genotype.from_index(index), 0, channels=4, cells=1, in_channels=1)
    return normalised(network, train.mean, train.std)


def digits_network(index: int = 284) -> nn.Module:
    """A cell network, trained for two seconds; a fresh copy each time."""
    network = _bare(index)
    network.load_state_dict(_trained(index))
    return network.eval()


def digits(count: int) -> tuple[Tensor, Tensor]:
    test = images.load("digits", split="test")
    return test.images(torch.arange(count)), test.labels[:count]
