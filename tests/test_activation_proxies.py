"""Proxies of patterns and features against numpy on hooked modules."""

import math

import numpy as np
import pytest
import torch
from torch import nn

import proxies
from proxies.activation.blocks import blocks
from proxies.activation.near import effective_rank
from proxies.preparation import prepare
from proxies.probe import Probe
from testbed.networks.normalise import normalised
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.nasbench201.weights import random_network
from tests.any_modules import CLASSES, ViT, cnn, labels
from tests.any_modules import images as float_images
from tests.small_networks import ONE_OF_EACH


def images(count: int = 8) -> torch.Tensor:
    return float_images(count).double()


def score(network, name, x=None, **options):
    x = images() if x is None else x
    return proxies.score(network, x, labels(len(x)), name, options={name: options})[name]


def seen(network, index, x=None) -> list[np.ndarray]:
    """The input and the output of a module of a sequence."""
    found = []
    network = network.double()
    network[index].register_forward_hook(
        lambda _, inputs, out: found.extend([inputs[0].detach(), out.detach()])
    )
    network(images() if x is None else x)
    return [tensor.numpy() for tensor in found]


def plain() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 5, 3, stride=2, padding=1),
        nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, CLASSES),
    )  # fmt: skip


def test_swap_counts_distinct_units_over_all_layers():
    units = set()
    for index in (1, 3):
        states = seen(plain(), index)[0] > 0
        units |= {tuple(unit) for unit in states.reshape(8, -1).T.tolist()}
    assert score(plain(), "swap").value == len(units)
    millions = sum(p.numel() for p in plain().parameters()) / 1e6
    expected = len(units) * math.exp(-((millions - 0.5) ** 2) / 0.25)
    found = score(plain(), "swap_reg", mu=0.5, sigma=0.25)
    assert found.value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("count", [3, 31, 32, 33, 70])
def test_units_are_told_apart_over_any_number_of_samples(count):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(48, 200), nn.ReLU(), nn.Linear(200, 3))
    x = torch.rand(count, 3, 4, 4).double()
    states = seen(network, 2, x)[0] > 0
    found = proxies.score(network, x, None, "swap")["swap"].value
    assert found == len({tuple(unit) for unit in states.T.tolist()})


def test_linear_regions_of_a_line_of_units():
    """A network that sees the mean of an image only, with kinks at 0 and ±.1: four regions."""

    class Line(nn.Module):
        def forward(self, x):
            mean = x.mean((1, 2, 3))[:, None]
            return (mean + torch.tensor([[-0.1, 0.0, 0.1]])).relu()

    found = proxies.score(Line(), float_images(), None, "linear_regions")["linear_regions"]
    assert found.value == 4
    assert found.reason is None


def test_meco_from_numpy_correlations():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 4)
    ).double()
    probe = Probe(network, images(), None, key=("probe", 0))
    draw = torch.randn((1, 3, 20, 20), generator=probe.generator("meco", 20)).double()
    maps = network[0](draw)[0].detach().flatten(1).numpy()
    exact = np.linalg.eigvalsh(np.corrcoef(maps))[0]
    # Four channels of three: singular, and nothing else is to be seen.
    assert score(network, "meco", size=20).value == pytest.approx(exact, abs=1e-9)
    network[0] = nn.Conv2d(3, 2, 3).double()
    network[4] = nn.Linear(2, 4).double()
    maps = network[0](draw)[0].detach().flatten(1).numpy()
    exact = np.linalg.eigvalsh(np.corrcoef(maps))[0]
    assert exact > 0.01
    assert score(network, "meco", size=20).value == pytest.approx(exact, rel=1e-9)


def test_effective_ranks():
    assert effective_rank(torch.eye(7)) == pytest.approx(7)
    assert effective_rank(torch.ones(5, 5)) == pytest.approx(1)
    assert effective_rank(torch.zeros(3, 3)) == 0
    values = np.array([3.0, 1.0, 0.5])
    q = values / values.sum()
    assert effective_rank(torch.diag(torch.tensor(values))) == pytest.approx(
        math.exp(-(q * np.log(q)).sum())
    )


def test_near_of_a_square_layer():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(768, 8), nn.ReLU(), nn.Linear(8, 4))
    before, after = seen(network, 2)  # eight samples of eight units: all rows, in any order
    total = 0.0
    for matrix in (before, after):
        values = np.linalg.svd(matrix, compute_uv=False)
        q = values / values.sum()
        total += math.exp(-(q[q > 0] * np.log(q[q > 0])).sum())
    assert score(network, "near").value == pytest.approx(total, rel=1e-9)


def rank_of(matrix: np.ndarray) -> float:
    values = np.linalg.svd(matrix, compute_uv=False)
    q = values / values.sum()
    return math.exp(-(q[q > 0] * np.log(q[q > 0])).sum())


def test_near_reference_takes_all_modules_and_a_block_of_neighbours():
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(5)
    for values in (norm.weight.data, norm.running_var, norm.running_mean):
        values.uniform_(0.5, 2)
    network = nn.Sequential(
        nn.Conv2d(3, 5, 3), norm, nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 4)
    ).eval()
    network.dead = nn.Linear(2, 2)
    network.forward = lambda x: nn.Sequential(*list(network)[:-1])(x)
    # One image, whose maps have two rows of six columns: one block fits, column by column.
    x = torch.rand(1, 3, 4, 8, dtype=torch.float64)
    total = 1.0  # the logits of one image
    for index in (0, 1, 2):
        channels = seen(network, index, x)[1][0]
        assert channels.shape == (5, 2, 6)
        neighbours = [channels[:, row, column] for column in range(6) for row in range(2)]
        total += rank_of(np.stack(neighbours[:5]))
    assert score(network, "near_reference", x).value == pytest.approx(total, rel=1e-9)


def test_near_reference_starts_its_blocks_anywhere():
    x = images()
    values = {
        proxies.score(plain(), x, labels(), "near_reference", seed=seed)["near_reference"].value
        for seed in range(4)
    }
    assert len(values) == 4


def entropy(features: np.ndarray) -> float:
    rows = np.moveaxis(features, 1, -1).reshape(-1, features.shape[1])
    values = np.linalg.eigvalsh(np.cov(rows.T))
    q = values / values.sum()
    return float(-(q[q > 1e-15] * np.log(q[q > 1e-15])).sum())


def test_az_nas_on_a_plain_network():
    first, second = entropy(seen(plain(), 1)[1]), entropy(seen(plain(), 3)[1])
    assert score(plain(), "az_expressivity").value == pytest.approx(first + second, rel=1e-9)
    assert score(plain(), "az_progressivity").value == pytest.approx(second - first, rel=1e-9)


def test_az_trainability_of_an_orthogonal_block_is_the_best():
    class Blocks(nn.Module):
        """Two 1 × 1 convolutions; the second turns the channels by an orthogonal matrix."""

        def __init__(self, gain):
            super().__init__()
            torch.manual_seed(0)
            self.stem, self.turn = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1, bias=False)
            self.head = nn.Linear(4, CLASSES)
            turn = torch.linalg.qr(torch.randn(4, 4))[0]
            self.turn.weight.data = gain * turn[:, :, None, None]

        def forward(self, x):
            return self.head(self.turn(self.stem(x)).mean((2, 3)))

    # g_in = turnᵀ g_out, and the mean of g_in g_outᵀ is turnᵀ up to sampling.
    for gain in (1.0, 2.0):
        found = score(Blocks(gain), "az_trainability").value
        assert found == pytest.approx(2 - gain - 1 / gain, abs=0.12)


ONE_PATH = "|nor_conv_1x1~0|+|none~0|avg_pool_3x3~1|+|none~0|none~1|nor_conv_3x3~2|"
NO_PRODUCT = "|avg_pool_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2|"


@pytest.mark.parametrize("cell", [ONE_OF_EACH, ONE_PATH, NO_PRODUCT])
@pytest.mark.parametrize("front", [False, True])
def test_blocks_are_stem_cells_and_reductions(cell, front):
    bare = random_network(Genotype.parse(cell), 0, channels=4, cells=2, classes=CLASSES).double()
    network = normalised(bare, (0.5,) * 3, (0.2,) * 3) if front else bare
    twin, z = prepare(network, images(), "calibrated"), images()
    if front:
        twin, z = twin[1], twin[0](z)
    exact = [twin.stem(z)]
    for block in twin.cells:
        exact.append(block(exact[-1]))
    ends = blocks(Probe(network, images(), None)).ends
    assert len(ends) == 1 + 2 + 3 * 2
    for end, one in zip(ends, exact, strict=True):
        torch.testing.assert_close(end, one, rtol=1e-10, atol=1e-12)
    held = [entropy(one.detach().numpy()) for one in exact]
    assert score(network, "az_expressivity").value == pytest.approx(sum(held), rel=1e-9)
    assert score(network, "az_progressivity").value == pytest.approx(min(np.diff(held)), rel=1e-6)


def test_wpca_counts_components():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(768, 6), nn.GELU(), nn.Linear(6, 4))
    before = seen(network, 2)[0]
    values = np.sort(np.linalg.eigvalsh(np.cov(before.T)))[::-1]
    needed = int(np.searchsorted(values.cumsum() / values.sum(), 0.9)) + 1
    found = score(network, "wpca", share=0.9)
    assert found.value == needed * sum(p.numel() for p in network.parameters())


def test_transformers_have_blocks_and_patterns():
    for name in ("swap", "near", "az_expressivity", "az_progressivity", "az_trainability", "wpca"):
        assert math.isfinite(score(ViT(), name).value), name


def test_a_network_without_units_has_no_patterns():
    linear = nn.Sequential(nn.Flatten(), nn.Linear(768, 4))
    for name in ("nwot", "swap", "near", "wpca", "linear_regions"):
        found = score(linear, name, **({"size": 16} if name == "linear_regions" else {}))
        assert math.isnan(found.value)
        assert "no elementwise non-linearity" in found.reason
    assert cnn()[0].weight.grad is None


class DeadBranch(nn.Module):
    """A network with a batch norm, and perhaps another one that leads nowhere."""

    def __init__(self, dead):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.norm = nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.head = nn.Linear(6, CLASSES)
        self.aside = nn.Sequential(nn.Conv2d(3, 9, 3), nn.BatchNorm2d(9)) if dead else None

    def forward(self, x):
        if self.aside is not None:
            self.aside(x)
        return self.head(self.norm(self.conv(x)).relu().mean((2, 3)))


def test_zen_leaves_out_batch_norms_that_lead_nowhere():
    assert score(DeadBranch(True), "zen").value == score(DeadBranch(False), "zen").value
