"""Proxies made for robustness, against definitions that share no code with them."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import proxies
from proxies.conditions import OptionError
from proxies.scoring import check_options
from testbed.basis.errors import InputError
from tests.any_modules import CLASSES, ViT, cnn, exact_input_hessian, exact_jacobian, labels
from tests.any_modules import images as float_images

COUNT, EPSILON = 6, 2 / 255


def images(count: int = COUNT) -> torch.Tensor:
    return float_images(count).double()


def score(network, name, x=None, y=None, **options):
    x = images() if x is None else x
    y = labels(len(x)) if y is None else y
    return proxies.score(network, x, y, name, options={name: options})[name]


def value(network, name, x=None, **options):
    found = score(network, name, x, **options)
    assert found.reason is None
    return found.value


def smooth(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.GELU(), nn.AvgPool2d(4), nn.Flatten(),
        nn.Linear(64, CLASSES),
    ).eval()  # fmt: skip


def linear() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(768, CLASSES))


def loss_and_gradient(network, image, label):
    """L and g of one image, by itself."""
    leaf = image[None].clone().requires_grad_()
    loss = cross_entropy(network.double()(leaf), label[None])
    loss.backward()
    return loss.item(), leaf.grad[0]


def gradients(network, x=None):
    x = images() if x is None else x
    return [loss_and_gradient(network, *pair) for pair in zip(x, labels(len(x)), strict=True)]


@pytest.mark.parametrize("name", ["curvature", "advrush"])
def test_curvature_image_by_image(name):
    h, total = 0.7, 0.0
    for image, label, (_, g) in zip(images(), labels(COUNT), gradients(smooth()), strict=True):
        z = np.sign(g.numpy())
        moved = image + h * torch.from_numpy(z / np.sqrt((z**2).sum()))
        change = loss_and_gradient(smooth(), moved, label)[1] - g
        total += float(change.norm()) / (h if name == "curvature" else 1)
    assert value(smooth(), name, h=h) == pytest.approx(total / COUNT, rel=1e-9)


def test_curvature_of_a_short_step_is_a_product_with_the_hessian():
    x = images(2)[..., :8, :8].contiguous()
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(144, CLASSES))
    rows = exact_input_hessian(network, x, labels(2))
    signs = torch.stack([g.sign().flatten() for _, g in gradients(network, x)])
    expected = (rows @ (signs / signs.norm(dim=1, keepdim=True))[..., None]).norm(dim=(1, 2))
    found = value(network, "curvature", x, h=1e-4)
    assert found == pytest.approx(float(expected.mean()), rel=1e-3)


def test_steps_of_a_sign_attack_image_by_image():
    network = smooth()
    before, after, bent = [], [], []
    for image, label, (loss, g) in zip(images(), labels(COUNT), gradients(smooth()), strict=True):
        then, _ = loss_and_gradient(network, image + EPSILON * g.sign(), label)
        before.append(loss)
        after.append(then)
        bent.append(abs(then - loss - EPSILON * float(g.abs().sum())))
        bent[-1] /= EPSILON * float(g.abs().sum())
    rise = (np.mean(after) - np.mean(before)) / np.mean(before)
    assert value(smooth(), "fgsm_rise", epsilon=2.0) == pytest.approx(rise, rel=1e-9)
    found = value(smooth(), "local_nonlinearity", epsilon=2.0)
    assert found == pytest.approx(np.mean(bent), rel=1e-6)


def test_flipped_relus_by_hooks():
    states = []
    network = cnn().double()
    network[0].register_forward_hook(lambda _, __, out: states.append(out.detach().numpy() > 0))
    steps = torch.stack([g.sign() for _, g in gradients(cnn())])
    network(images())
    network(images() + 8 / 255 * steps)
    expected = (states[0] != states[1]).mean()
    assert expected > 0.01
    assert value(cnn(), "flipped_relus", epsilon=8.0) == pytest.approx(expected, rel=1e-12)


def test_alignment_from_numpy():
    rows = np.stack([g.numpy() for _, g in gradients(cnn())])

    def mean_cosine(vectors):
        flat = vectors.reshape(COUNT, -1)
        pairs = [(a, b) for i, a in enumerate(flat) for j, b in enumerate(flat) if i != j]
        return np.mean([a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in pairs])

    assert value(cnn(), "gradient_alignment") == pytest.approx(mean_cosine(rows), rel=1e-9)
    # Frequencies up to .2 of 16 pixels: (0, ±1, ±2, ±3) / 16 within a circle of 3.2 / 16.
    spectrum = np.fft.fftshift(np.fft.fft2(rows), axes=(2, 3))
    for i in range(16):
        for j in range(16):
            if (i - 8) ** 2 + (j - 8) ** 2 > 3.2**2:
                spectrum[:, :, i, j] = 0
    low = np.fft.ifft2(np.fft.ifftshift(spectrum, axes=(2, 3))).real
    found = value(cnn(), "gradient_alignment_low", band=0.2)
    assert found == pytest.approx(mean_cosine(low), rel=1e-9)


def test_the_spectrum_of_a_jacobian_from_numpy():
    rows = exact_jacobian(cnn(), images()).numpy().reshape(COUNT, CLASSES, 3, 16, 16)
    size = np.abs(np.fft.fftfreq(16))
    high = np.hypot(size[:, None], size[None]) > 0.3
    energy = (np.abs(np.fft.fft2(rows)) ** 2).sum((1, 2))
    expected = (energy[:, high].sum(1) / energy.sum((1, 2))).mean()
    found = value(cnn(), "jacobian_spectrum", cutoff=0.3)
    assert found == pytest.approx(expected, rel=1e-9)


def test_a_pattern_of_one_frequency_has_all_its_energy_there():
    column = torch.cos(2 * torch.pi * 6 * torch.arange(16) / 16)
    network = nn.Sequential(nn.Flatten(), nn.Linear(768, CLASSES))
    network[1].weight.data = column.repeat(3 * 16).expand(CLASSES, 768).clone()
    assert value(network, "jacobian_spectrum", cutoff=0.37) == pytest.approx(1)
    assert value(network, "jacobian_spectrum", cutoff=0.38) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", ["first_order_radius", "first_order_radius_predicted"])
def test_the_radius_of_a_linear_network_is_the_distance_to_its_boundary(name):
    network = linear()
    weight, bias = (p.detach().double().numpy() for p in network[1].parameters())
    logits = images().flatten(1).numpy() @ weight.T + bias
    slope, standard = weight / logits.std(0)[:, None], (logits - logits.mean(0)) / logits.std(0)
    radii = []
    for i, row in enumerate(standard):
        y = i % CLASSES if name == "first_order_radius" else int(row.argmax())
        radii.append(min(
            255 * (row[y] - row[k]) / np.abs(slope[y] - slope[k]).sum()
            for k in range(CLASSES) if k != y
        ))  # fmt: skip
    assert value(linear(), name) == pytest.approx(np.mean(radii), rel=1e-9)


def test_a_radius_is_where_the_class_of_a_linear_network_changes():
    network, x = linear().double(), images()
    with torch.no_grad():
        mean, scale = network(x).mean(0), network(x).std(0, correction=0)
    slope = network[1].weight.detach() / scale[:, None]
    radius = score(network, "first_order_radius_predicted").details["min"] / 255

    def changes(image, share):
        """Whether some straight way of this length leads into another class."""
        standard = lambda z: (network(z.view(1, 3, 16, 16))[0] - mean) / scale  # noqa: E731
        label = int(standard(image).argmax())
        ways = [share * radius * (slope[label] - row).sign() for row in slope]
        return any(int(standard(image.flatten() - way).argmax()) != label for way in ways)

    assert not any(changes(image, 0.999) for image in x)
    assert any(changes(image, 1.001) for image in x)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("fgsm_rise", {"epsilon": 0.0}),
        ("curvature", {"h": -1.0}),
        ("jacobian_spectrum", {"cutoff": 1.0}),
        ("gradient_alignment_low", {"band": -0.1}),
        ("positive_leak", {"cutoff": 0.9}),
        ("hessian_input", {"tolerance": 1.0}),
    ],
)
def test_options_that_make_no_sense_are_refused(name, options):
    with pytest.raises(OptionError, match="got"):
        score(cnn(), name, **options)


STEPS = [
    ("fgsm_rise", "epsilon"), ("local_nonlinearity", "epsilon"), ("flipped_relus", "epsilon"),
    ("robust_ntk", "epsilon"), ("curvature", "h"), ("advrush", "h"), ("robust_zcp", "h"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "option"), STEPS)
def test_a_step_that_pixels_round_away_is_refused(name, option):
    with pytest.raises(OptionError, match="rounds away"):
        score(cnn(), name, **{option: 1e-14})


def test_options_that_a_small_network_fails_with_are_refused_before_the_work():
    given = {"linear_regions": {"samples": 10**15}}
    with pytest.raises(InputError, match=r"linear_regions fails with samples=10{15}"):
        check_options(given, "calibrated", "cpu", torch.float32)


def test_a_size_that_leaves_nothing_of_the_score_is_a_reason():
    for mu in (1e30, 1e300):
        assert "the size that is wanted" in str(score(cnn(), "swap_reg", mu=mu).reason)


ROBUST = [name for name, spec in proxies.PROXIES.items() if spec.group == "robust"]


@pytest.mark.parametrize("name", ROBUST)
def test_any_network_has_a_score_or_a_reason(name):
    dead = nn.Sequential(nn.Flatten(), nn.Linear(768, CLASSES))
    dead[1].weight.data.zero_()
    mlp = nn.Sequential(nn.Flatten(), nn.Linear(768, 9), nn.ReLU(), nn.Linear(9, CLASSES))
    two = nn.Sequential(nn.Flatten(), nn.Linear(768, 2))
    for network in (ViT(), dead, mlp, two):
        for count in (1, 4):
            x = float_images(count)
            found = score(network, name, x, labels(count) % 2)
            assert not found.failed, found.reason
            assert math.isfinite(found.value) or found.reason


def test_a_hidden_gradient_is_doubted():
    class Rounding(nn.Module):
        def forward(self, x):
            return (x * 255).round().flatten(1)[:, :CLASSES] / 255

    for name in ("curvature", "fgsm_rise"):
        found = score(Rounding(), name)
        assert found.value == 0
        assert "exactly zero" in found.reason
