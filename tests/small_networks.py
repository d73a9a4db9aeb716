"""Small networks in float64, and their derivatives as dense matrices."""

import torch
from torch import Tensor, nn
from torch.func import functional_call, hessian, jacrev
from torch.nn.functional import cross_entropy

from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.nasbench201.weights import random_network

IDS = (0, 11, 284, 1462, 5111)
ONE_OF_EACH = (
    "|nor_conv_3x3~0|+|skip_connect~0|avg_pool_3x3~1|+|nor_conv_1x1~0|none~1|nor_conv_3x3~2|"
)
DEAD = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"


def batch(size: int = 4, classes: int = 3, channels: int = 3, pixels: int = 8) -> tuple:
    source = torch.Generator().manual_seed(0)
    images = torch.rand(size, channels, pixels, pixels, generator=source, dtype=torch.float64)
    return images, torch.arange(size) % classes


def cell_network(index: int | str = ONE_OF_EACH, channels: int = 2, classes: int = 3) -> nn.Module:
    genotype = Genotype.parse(index) if isinstance(index, str) else Genotype.from_index(index)
    network = random_network(genotype, 0, channels=channels, cells=1, classes=classes)
    return roughen(network.double())


def roughen(network: nn.Module) -> nn.Module:
    """Give every batch norm weights and biases of its own, so that none can be forgotten."""
    source = torch.Generator().manual_seed(1)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            shape = layer.weight.shape
            layer.weight.data = 0.5 + torch.rand(shape, generator=source, dtype=torch.float64)
            layer.bias.data = torch.randn(shape, generator=source, dtype=torch.float64) / 3
    return network


class Smooth(nn.Module):
    """Not piecewise linear, and says so nowhere but in its forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 3)

    def forward(self, images: Tensor) -> Tensor:
        features = nn.functional.gelu(self.norm(self.conv(images)))
        return self.head((3 * features).tanh().mean((2, 3)))


def dense_jacobian(network: nn.Module, images: Tensor) -> Tensor:
    """(B, K, D), from forward passes of single images."""
    network.requires_grad_(False)
    return torch.stack([jacrev(lambda x: network(x[None])[0])(x) for x in images]).flatten(2)


def dense_input_hessian(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """(B, D, D)."""
    network.requires_grad_(False)
    size = images[0].numel()

    def loss(image: Tensor, label: Tensor) -> Tensor:
        return cross_entropy(network(image[None]), label[None])

    return torch.stack(
        [hessian(loss)(x, y).reshape(size, size) for x, y in zip(images, labels, strict=True)]
    )


def dense_parameter_hessian(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """(P, P) over all parameters, those that do not reach the loss included."""
    parameters = {name: value.detach() for name, value in network.named_parameters()}

    def loss(flat: Tensor) -> Tensor:
        pieces = flat.split([value.numel() for value in parameters.values()])
        shaped = {n: p.view_as(v) for (n, v), p in zip(parameters.items(), pieces, strict=True)}
        return cross_entropy(functional_call(network, shaped, (images,)), labels)

    return hessian(loss)(torch.cat([value.flatten() for value in parameters.values()]))


def extremes(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """The signed eigenvalue of largest magnitude and the largest one, of each matrix."""
    values = torch.linalg.eigvalsh(matrix)
    strongest = values.gather(-1, values.abs().argmax(-1, keepdim=True)).squeeze(-1)
    return strongest, values[..., -1]
