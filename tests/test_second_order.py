"""Second derivatives that torch has not, or has wrong, against differences of first ones."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from proxies.double_backward import lean_double_backward
from proxies.second_order import twice_differentiable

IMAGE = (2, 4, 6, 6)


def attention(x):
    queries, keys, values = x.view(3, 1, 2, 6, 8).unbind(0)
    return functional.scaled_dot_product_attention(queries, keys, values, is_causal=True)


def encoder(x):
    torch.manual_seed(1)
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).to(x).eval()
    return nn.TransformerEncoder(layer, 2)(x.view(4, 9, 8))


def weight_norm(x):
    torch.manual_seed(1)
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(12, 24)).to(x)
    return torch.func.functional_call(
        layer, {"parametrizations.weight.original1": x.view(24, 12)}, (torch.ones(12).to(x),)
    )


def halves(x):
    return x.view(2, 12, 12).unbind(0)


REPLACED = {
    "attention": attention,
    "encoder": encoder,
    "weight norm": weight_norm,
    "hardsigmoid": functional.hardsigmoid,
    "hardsigmoid in place": lambda x: functional.hardsigmoid(x * 1, inplace=True),
    "Hardsigmoid": nn.Hardsigmoid(),
    "cdist 1": lambda x: torch.cdist(*halves(x), p=1),
    "cdist 2": lambda x: torch.cdist(*halves(x)),
    "cdist with itself": lambda x: torch.cdist(halves(x)[0], halves(x)[0]),
    "cdist 3": lambda x: torch.cdist(*halves(x), p=3),
    "pdist": lambda x: functional.pdist(halves(x)[0]),
}
KEPT = {
    "hardswish": functional.hardswish,
    "mish": functional.mish,
    "silu": functional.silu,
    "gelu": functional.gelu,
    "gelu tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "softplus": functional.softplus,
    "celu": functional.celu,
    "glu": lambda x: functional.glu(x, 1),
    "layer norm": lambda x: functional.layer_norm(x, (6,), torch.linspace(1, 2, 6).to(x)),
    "group norm": lambda x: functional.group_norm(x, 2, torch.linspace(1, 2, 4).to(x)),
    "rms norm": lambda x: functional.rms_norm(x, (6,)),
    "batch norm": lambda x: functional.batch_norm(x, None, None, training=True),
    "bicubic": lambda x: functional.interpolate(x, size=9, mode="bicubic"),
    "fold": lambda x: functional.fold(functional.unfold(x, 3), (6, 6), 3),
    "pixel shuffle": lambda x: functional.pixel_shuffle(x, 2),
    "adaptive max": lambda x: functional.adaptive_max_pool2d(x, 2),
    "grid sample": lambda x: functional.grid_sample(
        x, torch.linspace(-0.9, 0.8, 64).view(2, 4, 4, 2).to(x), align_corners=False
    ),
    "lstm": lambda x: torch.func.functional_call(
        LSTM, {n: p.to(x) for n, p in LSTM.named_parameters()}, (x.view(4, 12, 6),)
    )[0],
}
LSTM = nn.LSTM(6, 5, batch_first=True)


def kernel(x, size=3, width=4):
    count = size * size * width
    return torch.linspace(-1, 1, count * 4).sin().view(-1, width, size, size).to(x)


def of_weight(x):
    images = torch.linspace(-1, 2, 2 * 3 * 7 * 7).cos().view(2, 3, 7, 7).to(x)
    features = functional.conv2d(images, x.flatten()[:108].view(4, 3, 3, 3), x.flatten()[108:112])
    return functional.conv2d(features.tanh(), x.flatten()[112:256].view(4, 4, 3, 3), stride=2)


LEAN = {
    "features": lambda x: functional.conv2d(x.sin(), kernel(x), padding=1).tanh(),
    "weights": of_weight,
    "strides": lambda x: functional.conv2d(x.sin(), kernel(x), None, (2, 1), (1, 0), 2),
    "groups": lambda x: functional.conv2d(
        x.sin(), x.flatten()[:36].view(4, 1, 3, 3), padding=1, groups=4
    ),
    "by name": lambda x: functional.conv2d(x.sin(), kernel(x), padding="same"),
    "no batch": lambda x: functional.conv2d(x[0].sin(), kernel(x)),
    "pool": lambda x: functional.avg_pool2d(x.tanh(), 3, 1, 1, count_include_pad=False).tanh(),
    "pool with zeros": lambda x: functional.avg_pool2d(x.tanh(), (3, 5), 1, (1, 2)).tanh(),
    "pool with strides": lambda x: functional.avg_pool2d(x.tanh(), 2).tanh(),
    "pool off centre": lambda x: functional.avg_pool2d(x.tanh(), 3, 1).tanh(),
}
CASES = {**REPLACED, **KEPT, **LEAN}


def loss(function, x):
    y = function(x).flatten()
    weights = torch.linspace(-1, 1.5, y.numel()).to(y)
    return (weights * y).sum().sin() + 0.3 * (weights * y * y).sum()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", CASES)
def test_a_product_is_the_difference_of_gradients(name, dtype):
    source = torch.Generator().manual_seed(0)
    x, v = (torch.randn(IMAGE, generator=source, dtype=torch.float64) for _ in range(2))
    function = CASES[name]

    def gradient(point):
        point = point.detach().requires_grad_()
        return torch.autograd.grad(loss(function, point), point)[0]

    leaf = x.to(dtype).requires_grad_()
    with twice_differentiable(), lean_double_backward():
        value = loss(function, leaf)
    (first,) = torch.autograd.grad(value, leaf, create_graph=True)
    (product,) = torch.autograd.grad(first, leaf, v.to(dtype))
    step, tolerance = 1e-6, 1e-6 if dtype == torch.float64 else 1e-3
    expected = (gradient(x + step * v) - gradient(x - step * v)) / (2 * step)
    torch.testing.assert_close(value.double(), loss(function, x), rtol=tolerance, atol=tolerance)
    for found, true in ((first, gradient(x)), (product, expected)):
        assert float((found - true).norm()) <= tolerance * float(true.norm())


@pytest.mark.parametrize("name", REPLACED)
def test_torch_itself_still_has_no_such_derivative(name):
    """Where it has one some day, the replacement can go."""
    x = torch.randn(IMAGE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x.requires_grad_()
    (first,) = torch.autograd.grad(loss(CASES[name], x), x, create_graph=True)
    if name == "weight norm":
        pytest.skip("torch's is wrong, not missing")
    with pytest.raises(RuntimeError, match="not implemented"):
        torch.autograd.grad(first.sum(), x)
