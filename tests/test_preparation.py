"""The batch-norm contract, folding, and the judgement of piecewise linearity."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import proxies
from proxies.piecewise import is_piecewise_linear
from proxies.preparation import BatchNormError, prepare, resolve
from testbed.networks.fast import fast_copy
from testbed.networks.folding import FoldedFunction, foldable
from tests.small_networks import DEAD, IDS, Smooth, batch, cell_network


def trained(network: nn.Module, images: torch.Tensor) -> nn.Module:
    """Give the batch norms statistics as of a loaded network."""
    network.train()
    with torch.no_grad():
        network(images)
    return network.eval()


def test_calibrated_statistics_are_those_of_the_batch():
    network, (images, _) = cell_network(), batch()
    ready = prepare(network, images, "calibrated")
    features = nn.functional.conv2d(images, network.stem[0].weight, padding=1)
    variance, mean = torch.var_mean(features, (0, 2, 3))
    torch.testing.assert_close(ready.stem[1].running_mean, mean)
    torch.testing.assert_close(ready.stem[1].running_var, variance)
    assert not ready.training


def narrowing(stages: int = 5) -> nn.Sequential:
    """Return a network whose last stage has one pixel of an image of 32."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for stage in range(stages):
        width = 3 if stage == 0 else 16
        layers += [nn.Conv2d(width, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
        layers += [nn.Conv2d(16, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(16, 4))


def test_statistics_of_few_values_are_those_of_float64_and_the_score_says_so():
    network = narrowing()
    images = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    exact = narrowing().double()
    for norm in exact.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.momentum = None
    exact.train()(images.double())
    ready = prepare(network, images, "calibrated")
    for name, value in exact.named_buffers():
        if "running" in name:  # to the last digit of float32
            assert torch.equal(ready.get_buffer(name), value.float()), name
    score = proxies.score(network, images, proxies=["jacobian_norm"])["jacobian_norm"]
    assert score.details["calibrated_from"] == 4
    assert "from 4 values a channel" in score.reason


def test_statistics_stand_where_a_network_works_in_float32_only():
    class Stubborn(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = narrowing()

        def forward(self, images):
            return self.layers(images.to(torch.float32))

    images = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    ready = prepare(Stubborn(), images, "calibrated")
    deep = prepare(narrowing(), images, "calibrated")
    for name, value in ready.layers.named_buffers():
        torch.testing.assert_close(value, deep.get_buffer(name), rtol=0.05, atol=1e-3)


def test_samples_are_independent_unless_the_mode_is_batch():
    network, (images, _) = cell_network(), batch()
    for mode, independent in (("calibrated", True), ("batch", False)):
        ready = prepare(network, images, mode)
        alone = torch.cat([ready(image[None]) for image in images])
        assert torch.allclose(alone, ready(images)) is independent


def test_running_statistics_are_used_as_loaded():
    network, (images, _) = cell_network(), batch()
    expected = trained(network, images)(images)
    torch.testing.assert_close(prepare(network, images[:1], "running")(images), expected)


def test_fresh_statistics_are_refused_and_auto_knows():
    network, (images, _) = cell_network(), batch()
    assert resolve(network, "auto") == "calibrated"
    with pytest.raises(BatchNormError, match="fresh"):
        prepare(network, images, "running")
    assert resolve(trained(network, images), "auto") == "running"
    assert resolve(nn.Flatten(), "auto") == "running"
    with pytest.raises(BatchNormError, match="unknown"):
        resolve(network, "train")


def test_norms_without_statistics_need_mode_batch():
    network = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2, track_running_stats=False))
    network = network.double()
    images, _ = batch()
    with pytest.raises(BatchNormError, match="no running statistics"):
        prepare(network, images, "calibrated")
    prepare(network, images, "batch")


def test_dropout_is_off_in_every_mode():
    network, (images, _) = nn.Sequential(cell_network(), nn.Dropout(0.9)), batch()
    for mode in ("calibrated", "batch"):
        ready = prepare(network, images, mode)
        torch.testing.assert_close(ready(images), ready(images))


@pytest.mark.parametrize("index", IDS)
def test_a_frozen_network_is_the_same_function(index):
    images, _ = batch()
    network = prepare(cell_network(index), images, "calibrated")
    copy = fast_copy(network, images)
    assert copy.given_up == {}
    frozen = copy.network
    torch.testing.assert_close(frozen(images), network(images), rtol=1e-10, atol=1e-12)
    assert not any(parameter.requires_grad for parameter in frozen.parameters())
    left = [layer for layer in frozen.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert len(left) == 1  # the last one follows no convolution


@pytest.mark.parametrize("conv_bias", [True, False])
@pytest.mark.parametrize("affine", [True, False])
def test_folding_keeps_the_gradient_of_every_original_parameter(conv_bias, affine):
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 4, 3, bias=conv_bias), nn.BatchNorm2d(4, affine=affine)
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    network = nn.Sequential(*layers, nn.ReLU(), *head).double()
    images, labels = batch()
    network = prepare(network, images, "calibrated")
    parameters = dict(network.named_parameters())
    plain = torch.autograd.grad(cross_entropy(network(images), labels), list(parameters.values()))
    logits = FoldedFunction(network)(parameters, images)
    folded = torch.autograd.grad(cross_entropy(logits, labels), list(parameters.values()))
    assert foldable(network) == [("0", "1")]
    for a, b in zip(plain, folded, strict=True):
        torch.testing.assert_close(a, b)


def test_what_must_not_be_folded_is_not():
    conv, norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)
    hooked = nn.Conv2d(3, 3, 1)
    hooked.register_forward_hook(lambda *_: None)
    cases = [
        nn.Sequential(conv, norm),  # batch statistics: not an affine map
        nn.Sequential(conv, nn.ReLU(), norm).eval(),
        nn.Sequential(nn.Sequential(conv, norm), nn.Sequential(conv, norm)).eval(),  # shared
        nn.Sequential(hooked, nn.BatchNorm2d(3)).eval(),
        nn.ModuleList([nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)]).eval(),
    ]
    cases[0].train()
    assert [foldable(case) for case in cases[1:]] == [[]] * 4
    assert foldable(nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)).train()) == []


class Gated(nn.Module):
    def forward(self, images):
        return (images * images.relu()).flatten(1)


class Attention(nn.Module):
    def forward(self, images):
        rows = images.flatten(2)
        return (rows @ rows.mT).flatten(1)


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (cell_network(11), True),
        (cell_network(DEAD), True),
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.LeakyReLU(), nn.MaxPool2d(2), nn.Flatten()), True),
        (nn.Sequential(nn.Flatten(), nn.Linear(192, 8), nn.Hardtanh(), nn.Linear(8, 3)), True),
        (Smooth(), False),
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.SiLU(), nn.Flatten()), False),
        (nn.Sequential(nn.Flatten(), nn.LayerNorm(192)), False),
        (Gated(), False),
        (Attention(), False),
        (nn.Sequential(nn.Softmax(1), nn.Flatten()), False),
        (nn.Sequential(nn.Flatten(), nn.GELU(approximate="tanh")), False),
    ],
)
def test_piecewise_linearity(network, expected):
    images, _ = batch(size=1)
    copy = fast_copy(network.double().eval(), images)
    assert is_piecewise_linear(copy, images) is expected


def test_batch_statistics_are_not_piecewise_linear():
    images, _ = batch()
    copy = fast_copy(prepare(cell_network(), images, "batch"), images, batch=True)
    assert not is_piecewise_linear(copy, images[:1])


class WholeBatches(nn.Module):
    """Takes batches of one size only."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size, self.network = size, cell_network()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.network(images.reshape(self.size, 3, *images.shape[2:]))


class AsItLies(nn.Module):
    """Reads the images in the order in which they lie in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.network = cell_network()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        stride = (images[0].numel(), images[0, 0].numel(), images.shape[3], 1)
        return self.network(images.as_strided(images.shape, stride))


def test_in_batch_mode_two_images_are_compared_or_all_where_two_do_not_do():
    images, _ = batch(size=6)
    copy = fast_copy(prepare(cell_network(), images, "batch"), images, batch=True)
    assert len(copy.alone.logits) == 2
    assert not copy.given_up
    copy = fast_copy(prepare(WholeBatches(6), images, "batch"), images, batch=True)
    assert len(copy.alone.logits) == 6
    assert not copy.given_up
    copy = fast_copy(prepare(AsItLies(), images, "batch"), images, batch=True)
    assert set(copy.given_up) == {"layout"}
