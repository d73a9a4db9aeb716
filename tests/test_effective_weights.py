"""Weights that are computed from others: the scores of the same network with plain ones."""

import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune, spectral_norm, weight_norm

import proxies
from proxies.effective import with_effective_weights
from proxies.testing import batch
from testbed.networks.copying import working_copy
from tests.thorough import THOROUGH

IMAGES, LABELS = batch(6)
NAMES = [
    "grad_norm", "snip", "fisher", "grasp", "synflow", "l2_norm", "zico", "gradsign", "vkdnw",
    "lswag", "zen", "near_reference", "robust_zcp", "croze", "croze_reference",
    "positive_receptive_field", "hessian_params_trace", "robust_ntk",
]  # fmt: skip


class Halved(nn.Module):
    def forward(self, weight):
        return weight / 2


KINDS = {
    "weight norm": parametrizations.weight_norm,
    "spectral norm": parametrizations.spectral_norm,
    "one of one's own": lambda layer: parametrize.register_parametrization(
        layer, "weight", Halved()
    ),
    "weight norm by a hook": weight_norm,
    "spectral norm by a hook": spectral_norm,
    "pruned": lambda layer: prune.l1_unstructured(layer, "weight", 0.3),
    "pruned twice": lambda layer: [
        prune.random_unstructured(layer, "weight", 0.2) for _ in range(2)
    ],
}


def network(change=None):
    torch.manual_seed(0)
    made = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 8, 3, 2, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3),
    ).eval()  # fmt: skip
    for layer in (made[0], made[2], made[6]) if change else ():
        change(layer)
    return made


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_those_of_the_weights_that_layers_multiply_with(kind):
    made = network(KINDS[kind])
    logits, keys = made(IMAGES), list(made.state_dict())
    plain = network()
    with torch.no_grad():
        for layer, source in zip(plain, made, strict=True):
            if hasattr(layer, "weight"):
                layer.weight.copy_(source.weight)
    assert torch.allclose(plain(IMAGES), logits, atol=1e-6)
    names = NAMES if THOROUGH or kind == "weight norm" else ["l2_norm", "zen"]
    found, expected = (proxies.score(one, IMAGES, LABELS, names) for one in (made, plain))
    for name in names:
        assert found[name].value == pytest.approx(expected[name].value, rel=1e-3, abs=1e-6), name
    assert list(made.state_dict()) == keys  # the network itself stays as it is
    assert torch.equal(made(IMAGES), logits)


def test_what_requires_no_gradient_and_what_has_no_parametrisation_stay_so():
    made = network(parametrizations.weight_norm)
    for parameter in made[0].parameters():
        parameter.requires_grad_(False)
    made.append(plain := nn.Linear(3, 3))
    copy = with_effective_weights(working_copy(made))
    names = [name for name, _ in copy.named_parameters()]
    assert names == [name for name, _ in network().append(plain).named_parameters()]
    assert [p.requires_grad for p in copy.parameters()] == [False] * 2 + [True] * 6
    assert parametrize.is_parametrized(made[0])
