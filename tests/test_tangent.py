"""Kernels of gradients over the parameters, against dense Jacobians."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call, jacrev
from torch.nn.functional import cross_entropy

import proxies
from proxies.conditions import OptionError
from tests.any_modules import CLASSES, ViT, cnn, labels
from tests.any_modules import images as float_images

COUNT = 5


def images() -> torch.Tensor:
    return float_images(COUNT).double()


def score(network, name, **options):
    return proxies.score(network, images(), labels(COUNT), name, options={name: options})[name]


def rows(network, x):
    """∂ Σ_k f_k / ∂θ of every image, a list of (N, …) by parameter."""
    parameters = {n: p.detach() for n, p in network.double().named_parameters()}
    whole = jacrev(lambda p: functional_call(network, p, (x,)).sum(1))(parameters)
    return {name: row.flatten(1).numpy() for name, row in whole.items()}


def attacked(network, x, epsilon):
    leaf = x.clone().requires_grad_()
    cross_entropy(network.double()(leaf), labels(COUNT), reduction="sum").backward()
    return x + epsilon / 255 * leaf.grad.sign()


@pytest.mark.parametrize("make", [cnn, ViT])
def test_robust_ntk_from_the_four_kernels(make):
    beta, epsilon = 0.3, 8.0
    clean = np.concatenate(list(rows(make(), images()).values()), 1)
    moved = rows(make(), attacked(make(), images(), epsilon))
    moved = np.concatenate(list(moved.values()), 1)
    k, cross, both = clean @ clean.T, clean @ moved.T, moved @ moved.T
    whole = (1 - beta) ** 2 * k + beta * (1 - beta) * (cross + cross.T) + beta**2 * both
    found = score(make(), "robust_ntk", beta=beta, epsilon=epsilon)
    assert found.value == pytest.approx(np.linalg.eigvalsh(whole)[0], rel=1e-7)
    assert found.details["largest"] == pytest.approx(np.linalg.eigvalsh(whole)[-1], rel=1e-9)
    plain = score(make(), "robust_ntk", beta=0.0)
    assert plain.value == pytest.approx(np.linalg.eigvalsh(k)[0], rel=1e-7)


def test_robust_zcp_is_the_logarithm_of_the_papers_product():
    def smooth():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.GELU(), nn.Flatten(),
            nn.Linear(784, CLASSES),
        )  # fmt: skip

    network = smooth()
    network[1].running_mean.add_(0.1)  # not fresh: eval mode as it stands
    network.eval()
    t, h, kernel, changes = 0.01, 2.0, 0.0, []
    gradients = rows(network, images())
    for name in ("0.weight", "4.weight"):
        for a in gradients[name]:
            for b in gradients[name]:
                kernel += float(a @ b) / (2 * COUNT**2)

    def gradient(image, label):
        leaf = image[None].clone().requires_grad_()
        cross_entropy(network(leaf), label[None]).backward()
        return leaf.grad[0]

    for image, label in zip(images(), labels(COUNT), strict=True):
        g = gradient(image, label)
        z = g.sign() / g.sign().norm()
        changes.append(float(((gradient(image + h * z, label) - g) / h).square().sum()))
    product = -math.exp(t * kernel) * np.mean(changes)
    found = score(network, "robust_zcp", t=t, h=h)
    assert found.value == pytest.approx(-math.log(-product), rel=1e-9)
    assert found.details["kernel"] == pytest.approx(kernel, rel=1e-9)


def test_a_share_is_between_zero_and_one():
    with pytest.raises(OptionError, match="got 2"):
        score(cnn(), "robust_ntk", beta=2.0)


def test_a_network_that_squeezes_a_batch_of_one_has_a_kernel():
    class Squeezing(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = cnn()

        def forward(self, x):
            return self.network(x).squeeze()

    expected = score(cnn(), "robust_ntk").value
    assert score(Squeezing(), "robust_ntk").value == pytest.approx(expected, rel=1e-9)
