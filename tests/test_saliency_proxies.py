"""The thirteen proxies of NAS-Bench-Suite-Zero against definitions that share no code with them."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import proxies
from proxies.loss_gradients import loss_gradients
from proxies.preparation import prepare
from proxies.tape import record
from tests.any_modules import CLASSES, Taps, ViT, cnn, exact_parameter_hessian, labels
from tests.any_modules import images as float_images

LAYERS = (nn.Conv2d, nn.Linear)


def images(count: int = 8) -> torch.Tensor:
    return float_images(count).double()


def normed(eps: float = 1e-5) -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6, eps), nn.ReLU(),
        nn.Conv2d(6, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4, eps), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, CLASSES),
    )  # fmt: skip


def value(network, name, x=None, y=None, **options):
    x = images() if x is None else x
    score = proxies.score(network, x, labels(len(x)) if y is None else y, name, **options)[name]
    assert score.reason is None or "calibrated" in score.reason
    return score.value


def layers(network) -> list[nn.Module]:
    return [layer for layer in network.modules() if isinstance(layer, LAYERS)]


def with_gradients(network, x, y) -> nn.Module:
    network = network.double()
    network.zero_grad()
    cross_entropy(network(x), y).backward()
    return network


@pytest.fixture(params=["plain", "batch norm"])
def case(request):
    """A network with its batch-norm mode, and another copy of it to take apart."""
    make, mode = (cnn, "auto") if request.param == "plain" else (normed, "batch")
    return make(), with_gradients(make(), images(), labels()), mode


def test_gradients_of_layers(case):
    network, oracle, mode = case
    pairs = [(layer.weight, layer.weight.grad) for layer in layers(oracle)]
    expected = {
        "grad_norm": sum(float(g.norm()) for _, g in pairs),
        "snip": sum((w * g).abs().sum().item() for w, g in pairs),
        "plain": sum((w * g).sum().item() for w, g in pairs),
        "l2_norm": sum(w.norm().item() for w, _ in pairs),
    }
    for name, exact in expected.items():
        assert value(network, name, batch_norm=mode) == pytest.approx(exact, rel=1e-9, abs=1e-12)


def test_fisher_takes_the_derivative_over_a_gate_of_each_channel(case):
    network, oracle, mode = case
    total, gates = 0.0, {}

    def gated(layer, inputs, output):
        # One factor an image and channel, which multiplies all positions.
        gates[layer] = torch.ones(*output.shape[:2], dtype=output.dtype, requires_grad=True)
        return output * gates[layer].reshape(*output.shape[:2], *[1] * (output.dim() - 2))

    for layer in layers(oracle):
        layer.register_forward_hook(gated)
    loss = cross_entropy(oracle(images()), labels())
    for layer in layers(oracle):
        (row,) = torch.autograd.grad(loss, gates[layer], retain_graph=True)
        total += float((row.square().mean(0) / 2).sum()) * layer.weight[0].numel()
    assert value(network, "fisher", batch_norm=mode) == pytest.approx(total, rel=1e-9)


def test_fisher_adds_up_the_tokens_of_an_image():
    oracle = ViT().double()
    found, total = {}, 0.0
    oracle.head.register_forward_hook(lambda _, __, out: found.update(head=out))
    oracle.encoder.linear1.register_forward_hook(lambda _, __, out: found.update(linear1=out))
    loss = cross_entropy(oracle(images()), labels())
    for name, layer in (("head", oracle.head), ("linear1", oracle.encoder.linear1)):
        (g,) = torch.autograd.grad(loss, found[name], retain_graph=True)
        rows = (found[name] * g).reshape(8, -1, g.shape[-1]).sum(1)
        total += float((rows.square().mean(0) / 2).sum()) * layer.weight[0].numel()
    tape = record(ViT().double(), images())
    gates = loss_gradients(tape, labels()).gates
    mine = sum(
        float(gates[p.number].square().mean(0).sum() / 2) * p.input.shape[-1]
        for p in tape.products
        if p.weights in (("head.weight",), ("encoder.linear1.weight",))
    )
    assert mine == pytest.approx(total, rel=1e-9)


@pytest.mark.parametrize("mode", ["calibrated", "batch"])
def test_grasp_against_the_dense_hessian(mode):
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2), nn.GELU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.Linear(8, CLASSES),
    ).double()  # fmt: skip
    oracle = prepare(network, images(), mode)
    names = [name for name, _ in oracle.named_parameters()]
    rows = exact_parameter_hessian(oracle, images(), labels())
    sizes = [p.numel() for p in oracle.parameters()]
    wanted = torch.cat([
        torch.full((size,), name in ("0.weight", "5.weight"))
        for name, size in zip(names, sizes, strict=True)
    ])  # fmt: skip
    theta = torch.cat([p.detach().flatten() for p in oracle.parameters()])[wanted]
    loss = cross_entropy(oracle(images()), labels())
    g = torch.cat([r.flatten() for r in torch.autograd.grad(loss, oracle.parameters())])[wanted]
    exact = -float(theta @ (rows[wanted][:, wanted] @ g))
    assert value(network, "grasp", batch_norm=mode) == pytest.approx(exact, rel=1e-6)


def test_batch_norm_frees_convolutions_of_scale():
    """⟨θ_l, g_l⟩ = 0 and θ_lᵀ(H g)_l = −‖g_l‖² where a convolution is followed by batch norm."""
    network = normed(eps=1e-14)
    oracle = with_gradients(normed(eps=1e-14), images(), labels())
    head = oracle[-1].weight
    assert value(network, "plain", batch_norm="batch") == pytest.approx(
        (head * head.grad).sum().item(), rel=1e-8
    )
    rows = [layer.weight for layer in layers(oracle)]
    graph = torch.autograd.grad(cross_entropy(oracle(images()), labels()), rows, create_graph=True)
    product = torch.autograd.grad(sum((g * g.detach()).sum() for g in graph), rows)
    convolutions = sum(float(g.detach().square().sum()) for g in graph[:-1])
    expected = convolutions - (head * product[-1]).sum().item()
    assert value(network, "grasp", batch_norm="batch") == pytest.approx(expected, rel=1e-7)


def test_synflow_of_a_plain_network_is_a_product_of_absolute_matrices():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Flatten(), nn.Linear(12, 5, bias=False), nn.ReLU(), nn.Linear(5, 3, bias=False)
    )
    first, second = (network[i].weight.detach().double().abs() for i in (1, 3))
    total = 2 * float((second @ first @ torch.ones(12).double()).sum())  # once a layer
    found = proxies.score(network, torch.rand(2, 3, 2, 2), None, "synflow")["synflow"]
    assert found.value == pytest.approx(math.log(total), rel=1e-12)


def test_synflow_knows_no_batch_norm_and_does_not_overflow():
    plain, norm = normed(), normed()
    for index in (1, 4):
        norm[index].weight.data.fill_(7)
        norm[index].running_mean.fill_(3)
    assert value(plain, "synflow") == value(norm, "synflow")
    torch.manual_seed(0)
    deep = nn.Sequential(nn.Flatten(), *[nn.Linear(48, 48) for _ in range(60)], nn.Linear(48, 3))
    for layer in deep[1:]:
        layer.weight.data.mul_(30)  # 1e60 and more
    found = proxies.score(deep, torch.rand(2, 3, 4, 4), None, "synflow")["synflow"]
    assert 60 * math.log(10) < found.value < 700


def numpy_gradients() -> np.ndarray:
    oracle = cnn().double()
    rows = []
    for image in images():
        leaf = image[None].clone().requires_grad_()
        oracle(leaf).sum().backward()
        rows.append(leaf.grad.flatten().numpy())
    return np.stack(rows)


def test_jacov_and_epe_nas_from_numpy_correlations():
    k, rows, y = 1e-5, numpy_gradients(), labels().numpy()
    eigenvalues = np.real(np.linalg.eig(np.corrcoef(rows))[0])
    exact = -np.sum(np.log(eigenvalues + k) + 1 / (eigenvalues + k))
    assert value(cnn(), "jacov") == pytest.approx(exact, rel=1e-7)
    sums = [np.log(np.abs(np.corrcoef(rows[y == c])) + k).sum() for c in np.unique(y)]
    assert value(cnn(), "epe_nas") == pytest.approx(np.abs(sums).sum(), rel=1e-9)


def test_nwot_counts_the_states_that_samples_share():
    oracle, patterns = cnn().double(), []
    oracle[1].register_forward_hook(lambda _, __, out: patterns.append((out > 0).flatten(1)))
    oracle(images())
    states = patterns[0].numpy()
    kernel = [[int((a == b).sum()) for b in states] for a in states]
    exact = np.linalg.slogdet(np.array(kernel, float))[1]
    assert value(cnn(), "nwot") == pytest.approx(exact, rel=1e-12)


def test_nwot_counts_calls_and_functions_alike_and_in_place():
    class Once(nn.Module):
        def __init__(self, relus):
            super().__init__()
            torch.manual_seed(0)
            self.a, self.b = nn.Linear(48, 20), nn.Linear(20, 20)
            self.head, self.relus = nn.Linear(20, 3), relus

        def forward(self, x):
            first, second = self.relus
            return self.head(second(self.b(first(self.a(x.flatten(1))))))

    shared = nn.ReLU()
    kinds = [
        (nn.ReLU(), nn.ReLU()), (shared, shared), (torch.relu, nn.functional.relu),
        (nn.ReLU(inplace=True), torch.relu_), (lambda x: x.clamp(min=0), lambda x: x.relu()),
    ]  # fmt: skip
    x = torch.rand(6, 3, 4, 4)
    found = {proxies.score(Once(kind), x, None, "nwot")["nwot"].value for kind in kinds}
    assert len(found) == 1
    details = proxies.score(Once(kinds[1]), x, None, "nwot")["nwot"].details
    assert details["units"] == 40


def test_what_does_not_reach_the_logits_does_not_count():
    class Dead(nn.Module):
        def __init__(self):
            super().__init__()
            self.network, self.idle = cnn(), nn.Linear(768, 9)

        def forward(self, x):
            torch.relu(self.idle(x.flatten(1)))
            return self.network(x)

    for name in ("snip", "l2_norm", "nwot", "fisher"):
        assert value(Dead(), name) == pytest.approx(value(cnn(), name), rel=1e-12)


def test_zen_of_a_linear_map_has_a_closed_form():
    """Δh = .01 w·z, w and z of three normal entries: E|Δh| = .01 √(2/π) E χ₃."""
    network = nn.Sequential(nn.Conv2d(3, 64, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    x = torch.rand(2, 3, 32, 32)
    found = proxies.score(network, x, None, "zen", options={"zen": {"repeats": 16}})["zen"]
    mean = 0.01 * math.sqrt(2 / math.pi) * math.sqrt(2) * math.gamma(2) / math.gamma(1.5)
    assert found.value == pytest.approx(math.log(64 * 32 * 32 * mean), abs=0.05)


def test_zen_puts_back_what_a_batch_norm_divides_away():
    def network(norm):
        return nn.Sequential(
            nn.Conv2d(3, 64, 3), norm, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 3)
        )

    options = {"zen": {"repeats": 8}}
    x = torch.rand(4, 3, 16, 16)
    plain, normal = (
        proxies.score(network(norm), x, None, "zen", options=options)["zen"].value
        for norm in (nn.Identity(), nn.BatchNorm2d(64))
    )
    assert plain == pytest.approx(normal, abs=0.03)


def test_saliency_of_smooth_and_normless_networks_is_defined():
    for network in (ViT(), Taps(), nn.Sequential(nn.Flatten(), nn.Linear(768, 4))):
        scores = proxies.score(network, float_images(), labels(), "saliency")
        for name, score in scores.items():
            assert math.isfinite(score.value) or score.reason, name
