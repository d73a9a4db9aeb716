"""Proxies of sample gradients against loops over samples in float64, module by module."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import proxies
from tests.any_modules import CLASSES, cnn, labels
from tests.any_modules import images as float_images


def images(count: int = 8) -> torch.Tensor:
    return float_images(count).double()


def value(network, name, count=8, **options):
    found = proxies.score(network, images(count), labels(count), name, options={name: options})
    return found[name].value


def rows(network: nn.Module, of, parts=8, every=False) -> dict[str, np.ndarray]:
    """(parts, n) gradients of each layer's weight, or of every parameter, by backward()."""
    network, found = network.double(), {}
    for x, y in zip(images().chunk(parts), labels().chunk(parts), strict=True):
        network.zero_grad()
        of(network(x), y).backward()
        for name, p in network.named_parameters():
            if every or name.endswith("weight"):
                found.setdefault(name, []).append(p.grad.flatten().numpy().copy())
    return {name: np.stack(values) for name, values in found.items()}


def test_zico_and_what_its_code_does():
    for name, magnitude in (("zico", True), ("zico_reference", False)):
        total = 0.0
        for g in rows(cnn(), cross_entropy, parts=4).values():
            spread = np.std(np.abs(g) if magnitude else g, axis=0)
            keep = spread > 0
            total += math.log((np.abs(g).mean(0)[keep] / spread[keep]).sum())
        assert value(cnn(), name, parts=4) == pytest.approx(total, rel=1e-7)


def test_gradsign_sums_over_weights():
    exact = sum(np.abs(np.sign(g).sum(0)).sum() for g in rows(cnn(), cross_entropy).values())
    assert value(cnn(), "gradsign") == exact


def test_ntk_condition_of_the_dense_kernel():
    full = np.concatenate(list(rows(cnn(), lambda z, _: z.sum()).values()), axis=1)
    values = np.linalg.eigvalsh(full @ full.T)
    assert value(cnn(), "ntk_cond") == pytest.approx(values[-1] / values[0], rel=1e-6)


def test_two_equal_images_have_a_singular_kernel():
    x = images(1).repeat(3, 1, 1, 1)
    found = proxies.score(cnn(), x, None, "ntk_cond")["ntk_cond"]
    assert math.isnan(found.value)
    assert "singular" in found.reason


def test_vkdnw_from_the_dense_fisher_information():
    network = cnn().double()
    parameters = list(network.parameters())
    total = np.zeros((len(parameters),) * 2)
    for x in images():
        z = network(x[None])[0]
        jac = np.array([
            [float(g.flatten()[0]) for g in torch.autograd.grad(k, parameters, retain_graph=True)]
            for k in z
        ])  # fmt: skip
        p = z.softmax(0).detach().numpy()
        total += jac.T @ (np.diag(p) - np.outer(p, p)) @ jac
    levels = np.quantile(np.linalg.eigvalsh(total / 8).clip(0), np.arange(1, 10) / 10)
    q = levels / levels.sum()
    exact = -np.sum(q[q > 0] * np.log(q[q > 0]))
    assert value(cnn(), "vkdnw_entropy") == pytest.approx(exact, rel=1e-6)
    assert value(cnn(), "vkdnw") == pytest.approx(2 + exact, rel=1e-6)  # two layers


def test_vkdnw_reference_turns_the_covariance_round():
    network = cnn().double()
    dead = nn.Linear(3, 5)  # reaches nothing: two tensors with derivatives of 0
    network.dead = dead.double()
    network.forward = lambda x: nn.Sequential(*list(network)[:-1])(x)
    alive = [p for layer in list(network)[:-1] for p in layer.parameters()]
    total = np.zeros((len(alive) + 2,) * 2)
    for x in images():
        z = network(x[None])[0]
        jac = np.array([
            [float(g.flatten()[0]) for g in torch.autograd.grad(k, alive, retain_graph=True)]
            for k in z
        ])  # fmt: skip
        q = 0.95 * z.softmax(0).detach().numpy() + 0.05 / len(z)
        # The last row and column follow from the others: L of the rest is a plain Cholesky factor.
        covariance = np.diag(q) - np.outer(q, q)
        factor = np.zeros_like(covariance)
        factor[:-1, :-1] = np.linalg.cholesky(covariance[:-1, :-1])
        factor[-1] = -factor[:-1].sum(0)
        assert np.allclose(factor @ factor.T, covariance, atol=1e-12)
        total[:-2, :-2] += (factor @ jac).T @ (factor @ jac)
    levels = np.quantile(np.linalg.eigvalsh(total / 8).clip(0), np.arange(1, 10) / 10)
    q = levels / levels.sum()
    exact = -np.sum(q[q > 0] * np.log(q[q > 0]))
    assert value(network, "vkdnw_reference") == pytest.approx(6 + exact, rel=1e-6)


def test_lswag_multiplies_steadiness_with_patterns():
    total = sum(
        math.log((1 / np.std(np.abs(g), axis=0)[np.std(np.abs(g), axis=0) > 0]).sum())
        for g in rows(cnn(), cross_entropy).values()
    )
    network, seen = cnn().double(), []
    network[1].register_forward_hook(lambda _, __, out: seen.append((out > 0).flatten(1)))
    network(images())
    patterns = len({tuple(unit) for unit in seen[0].T.tolist()})
    assert value(cnn(), "lswag") == pytest.approx(total * patterns, rel=1e-7)


def test_groups_of_weights_give_the_same_scores():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(768, 30), nn.ReLU(), nn.Linear(30, CLASSES))
    names = ["zico", "gradsign", "ntk_cond", "lswag"]
    tight, ample = (
        proxies.score(network, float_images(), labels(), names, memory=memory)
        for memory in (1, 2**30)
    )
    assert [tight[n].value for n in names] == [ample[n].value for n in names]


def test_one_image_is_not_enough():
    for name in ("zico", "ntk_cond", "lswag"):
        found = proxies.score(cnn(), images(1), labels(1), name)[name]
        assert math.isnan(found.value)
        assert "at least" in found.reason
