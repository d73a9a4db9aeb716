"""What every proxy promises, tested once over the registry."""

import math
from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import nn

import proxies
from proxies.testing import ProxyContract, batch
from testbed.catalogue.registry import PROXIES, chosen, register
from testbed.catalogue.spec import ProxySpec
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.nasbench201.weights import random_network
from tests.any_modules import ViT, cnn, images, labels
from tests.small_networks import DEAD, ONE_OF_EACH
from tests.thorough import some

RANDOM = {
    "jacobian_projection",
    "zen",
    "near",
    "near_reference",
    "meco",
    "linear_regions",
    "az_trainability",
    "clever",
} | {
    name
    for name in PROXIES
    if name.startswith("hessian")  # in their last digits
}
ZERO_WHERE_DEAD = {name for name in PROXIES if "_input" in name} | {
    "jacobian_norm", "jacobian_projection", "gauss_newton_input",
    "curvature", "advrush", "fgsm_rise",
}  # fmt: skip
# A transformer has no positive flow, no finite constant, and no positions before its logits; one
# block has nothing to grow or to lead through.
WITHOUT = {
    "ViT": {"synflow", "norm_bound", "positive_receptive_field", "positive_leak"},
    "cnn": {"az_progressivity", "az_trainability"},
}
EVERY = pytest.mark.parametrize("name", list(PROXIES))


def one_of_each() -> nn.Module:
    return random_network(Genotype.parse(ONE_OF_EACH), 0, channels=4, cells=1, classes=3)


@pytest.fixture
def network() -> nn.Module:
    return one_of_each()


def value(network, name, size=9, **options):
    images, labels = batch(size)
    return proxies.score(network, images.float(), labels, [name], **options)[name]


@cache
def usual(name):
    """Return the score of a cell with one of each operation."""
    return value(one_of_each(), name)


STRUCTURAL = chosen(["structural"])  # of cells only


class TestEvery(ProxyContract):
    """The promises, of every proxy in the table."""

    @pytest.fixture(params=[name for name in PROXIES if name not in STRUCTURAL])
    def spec(self, request):
        return PROXIES[request.param]


class TestSomeOnACell(ProxyContract):
    """The promises on a cell with one of each operation, of those that a cell may tell apart."""

    network = staticmethod(one_of_each)

    @pytest.fixture(params=[*STRUCTURAL, *some(list(PROXIES)[2 + len(STRUCTURAL) :], 6)])
    def spec(self, request):
        return PROXIES[request.param]


def test_scores_do_not_depend_on_their_company():
    images, labels = batch(9)
    together = proxies.score(one_of_each(), images.float(), labels, list(reversed(PROXIES)))
    for name in PROXIES:
        assert together[name].value == usual(name).value, name


@pytest.mark.parametrize("make", [ViT, cnn])
def test_every_proxy_has_a_number_or_a_reason_without_cells(make):
    """Attention, and convolutions without batch norm; in the company of all others."""
    found = proxies.score(make().eval(), images(), labels(), [*chosen(["all"]), *STRUCTURAL])
    for name, one in found.items():
        assert not one.failed, (name, one.reason)
        assert math.isfinite(one.value) or one.reason, name
    undefined = {name for name, one in found.items() if math.isnan(one.value)} - set(STRUCTURAL)
    assert undefined == WITHOUT[make.__name__]


@EVERY
def test_a_dead_network_has_a_defined_score_or_a_reason(name):
    network = random_network(Genotype.parse(DEAD), 0, channels=4, cells=1, classes=3)
    found = value(network, name)
    if name in ZERO_WHERE_DEAD:
        assert found.value == 0  # J = 0, and so is everything made of it
    else:
        assert math.isfinite(found.value) or found.reason
    if name in ("hessian_params", "hessian_params_positive", "hessian_params_power"):
        assert found.value > 0  # the classifier's bias still bends the loss


def test_seeds_reach_what_is_random_and_nothing_else(network):
    values = {name for name in PROXIES if value(network, name, seed=1).value != usual(name).value}
    assert "jacobian_projection" in values
    assert values <= RANDOM


def test_a_wrong_number_is_nan_with_a_reason():
    class Broken(nn.Module):
        def forward(self, images):
            return images.flatten(1)[:, :3] / 0

    images, labels = batch()
    found = proxies.score(Broken(), images, labels, ["jacobian_norm"])["jacobian_norm"]
    assert math.isnan(found.value)
    assert found.reason


@pytest.mark.parametrize("kind", ["random", "dropout"])
def test_a_module_that_draws_leaves_the_global_state_alone(kind):
    class Noisy(nn.Module):
        def forward(self, images):
            return (images + torch.randn_like(images)).relu().flatten(1)[:, :3]

    module = Noisy() if kind == "random" else nn.Sequential(nn.Dropout(), nn.Flatten())
    images, labels = batch()
    before = torch.get_rng_state()
    first = proxies.score(module, images, labels, ["jacobian_norm"])["jacobian_norm"]
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(1)
    again = proxies.score(module, images, labels, ["jacobian_norm"])["jacobian_norm"]
    assert first.value == again.value


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (torch.zeros(4, 3, 8), torch.zeros(4).long(), "floating tensor"),
        (torch.zeros(4, 3, 8, 8).byte(), torch.zeros(4).long(), "floating tensor"),
        (torch.zeros(0, 3, 8, 8), torch.zeros(0).long(), "B ≥ 1"),
        (torch.zeros(4, 3, 8, 8), torch.zeros(3).long(), "one for each image"),
        (torch.zeros(4, 3, 8, 8), torch.zeros(4), "int64"),
    ],
)
def test_a_batch_that_is_none(network, images, labels, message):
    with pytest.raises(ValueError, match=message):
        proxies.score(network, images, labels)


def test_unknown_proxies_are_listed_against_the_known(network):
    with pytest.raises(proxies.UnknownProxyError, match=r"'jacobi'.*jacobian_norm"):
        value(network, "jacobi")


def test_a_name_can_stand_in_the_table_only_once():
    for name in ("params", "saliency", "suite-zero", "all", "two words"):
        with pytest.raises(ValueError, match=r"in the table already|is an identifier"):
            register(ProxySpec(name, lambda probe: None, "", "", "lower", ""))


@pytest.mark.parametrize(
    "wrong", [{"better": "more"}, {"group": "jacobians"}, {"needs": ("label",)}]
)
def test_a_record_says_only_what_is_known(wrong):
    with pytest.raises(ValueError, match=r"higher or lower|is one of|are of"):
        replace(PROXIES["params"], **wrong)


def test_groups_and_collections_stand_for_their_proxies():
    assert chosen(["baseline", "params"]) == ["params", "flops"]
    assert len(chosen(["suite-zero"])) == 13
    assert chosen(["all"]) == [name for name, spec in PROXIES.items() if spec.group != "warm"]
    with pytest.raises(proxies.UnknownProxyError, match="did you mean 'saliency'"):
        chosen(["salience"])


def test_published_costs_count_dead_edges_and_other_modules_are_measured(network):
    plain = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Flatten(), nn.Linear(256, 3))
    # 64 positions of (27 weights + bias) on 4 channels, then 256 weights and a bias, thrice.
    assert value(plain, "flops").value == 64 * 4 * 28 + 3 * 257
    assert value(plain, "params").value == 4 * 28 + 3 * 257
    pruned = random_network(Genotype.parse(DEAD), 0)
    assert value(pruned, "params").value == 73306
