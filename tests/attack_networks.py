"""Networks to attack: one with a closed-form optimum, and small trained ones."""

from functools import cache

import torch
from torch import Tensor, nn

from testbed import images
from testbed.nasbench201.genotype import Genotype
from testbed.nasbench201.weights import random_network
from testbed.normalise import normalised


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


def inner_images(count: int, shape: tuple[int, ...], seed: int = 1) -> Tensor:
    """Images whose pixels stay away from 0 and 1."""
    source = torch.Generator().manual_seed(seed)
    return 0.4 + 0.2 * torch.rand(count, *shape, generator=source)


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
