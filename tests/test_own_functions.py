"""The same network, written with functions of its own: no score may tell them apart."""

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import bilinear, conv2d, relu
from torch.utils.checkpoint import checkpoint

import proxies
from tests.any_modules import CLASSES, images, labels

X, Y = images(5).double()[..., :8, :8], labels(5)
NAMES = (
    "flops", "snip", "fisher", "l2_norm", "synflow", "gradsign", "ntk_cond", "vkdnw", "nwot",
    "swap", "croze", "hessian_input", "hessian_params",
)  # fmt: skip


class Product(torch.autograd.Function):
    """A linear layer."""

    @staticmethod
    def forward(ctx, x, w, b):
        ctx.save_for_backward(x, w)
        return x @ w.t() + b

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        return g @ w, g.t() @ x, g.sum(0)


class NewStyle(torch.autograd.Function):
    """A linear layer in the form that torch.func can vectorise."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x, w, b):
        return torch.addmm(b, x, w.t())

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs[:2])

    backward = Product.backward


class Bent(torch.autograd.Function):
    """A convolution and what bends it, in one; the ReLU is a function within the function."""

    @staticmethod
    def forward(ctx, x, w, b):
        y = conv2d(x, w, b, padding=1)
        ctx.save_for_backward(x, w, y)
        return Unit.apply(y)

    @staticmethod
    def backward(ctx, g):
        x, w, y = ctx.saved_tensors
        g = g * (y > 0)
        towards = torch.nn.grad.conv2d_input(x.shape, w, g, padding=1)
        return towards, torch.nn.grad.conv2d_weight(x, w.shape, g, padding=1), g.sum((0, 2, 3))


class Unit(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * (x > 0)

    @staticmethod
    def backward(ctx, g):
        return g * (ctx.saved_tensors[0] > 0)


class Abs(torch.autograd.Function):
    """Called as one of torch's that is piecewise linear, and a cube."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx, g):
        return 3 * g * ctx.saved_tensors[0].square()


class Own(nn.Module):
    """Two convolutions and a classifier, run by a function of the module and the images."""

    def __init__(self, run):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(3, 5, 3, padding=1), nn.Conv2d(5, 6, 3, padding=1)
        self.head, self.run = nn.Linear(6, CLASSES), run
        self.register_buffer("scale", torch.ones(6))

    def forward(self, x):
        return self.run(self, x)


def body(s, x):
    return relu(s.second(relu(s.first(x)))).mean((2, 3))


def aside(s, x):
    with torch.no_grad():
        relu(s.head(body(s, x)))
    return s.head(body(s, x))


FORMS = {
    "product": lambda s, x: Product.apply(body(s, x), s.head.weight, s.head.bias),
    "new style": lambda s, x: NewStyle.apply(body(s, x), s.head.weight, s.head.bias),
    "units": lambda s, x: s.head(Unit.apply(s.second(Unit.apply(s.first(x)))).mean((2, 3))),
    "convolution": lambda s, x: s.head(
        relu(s.second(Bent.apply(x, s.first.weight, s.first.bias))).mean((2, 3))
    ),
    "bias apart": lambda s, x: s.head(
        relu(s.second(relu(conv2d(x, s.first.weight, padding=1).add_(s.first.bias[:, None, None]))))
        .mean((2, 3))
    ),
    "einsum": lambda s, x: torch.einsum("bi,oi->bo", body(s, x), s.head.weight) + s.head.bias,
    "written out": lambda s, x: (body(s, x)[:, None] * s.head.weight).sum(-1) + s.head.bias,
    "written out, scaled": lambda s, x: s.head(
        (relu(s.second(relu(s.first(x)))) * s.scale[:, None, None]).mean((2, 3))
    ),
    "vmap": lambda s, x: torch.func.vmap(lambda h: s.head(h))(body(s, x)),
    "squeezed in place": lambda s, x: s.head(
        relu(s.second(relu(s.first(x)))).mean((2, 3), keepdim=True).squeeze_(3).squeeze_(2)
    ),
    "aside": aside,
}  # fmt: skip


def scores(run, names=NAMES):
    return proxies.score(Own(run).double(), X, Y, names)


@pytest.fixture(scope="module")
def plain():
    return scores(lambda s, x: s.head(body(s, x)))


@pytest.mark.parametrize("form", FORMS)
def test_scores_do_not_depend_on_who_wrote_the_function(form, plain):
    found = scores(FORMS[form])
    for name in NAMES:
        if name == "fisher" and form == "convolution":
            assert "inside a torch.autograd.Function" in found[name].reason
        elif (name, form) != ("flops", "aside"):  # which are counted as executed
            close = 1e-5 if "hessian" in name else 1e-7  # an estimate, or exact
            assert found[name].value == pytest.approx(plain[name].value, rel=close), name


def test_a_layers_scores_do_not_depend_on_the_order_of_its_inputs_memory():
    class Tokens(Own):
        def __init__(self, arranged):
            super().__init__(lambda s, x: s.head(s.inner(arranged(s.first(x).flatten(2))).mean(1)))
            self.inner = nn.Linear(5, 6)

    def transposed(x):
        return x.transpose(1, 2)

    names = ["flops", "fisher", "croze", "croze_reference"]
    one, other = (
        proxies.score(Tokens(arranged).double(), X, Y, names)
        for arranged in (transposed, lambda x: transposed(x).contiguous())
    )
    for name in names:
        assert one[name].value == pytest.approx(other[name].value, rel=1e-9), name


def test_a_functions_name_proves_nothing():
    names = ["hessian_input", "hessian_input_trace"]
    own = scores(lambda s, x: s.head(Abs.apply(s.second(s.first(x))).mean((2, 3))), names)
    assert own["hessian_input"].details["method"] == "lanczos"
    assert own["hessian_input_trace"].details["method"] == "hutchinson"


def test_parameters_that_a_function_hides_are_a_reason():
    def through(s, x):
        return s.head(checkpoint(lambda x: body(s, x), x, use_reentrant=True))

    names = [*NAMES[1:], "robust_ntk", "hessian_params_trace", "warm_nwot"]
    found = scores(through, names)
    for name in names:
        assert math.isnan(found[name].value), name
        assert "use_reentrant=False" in found[name].reason, name


def test_the_weights_of_a_bilinear_layer_are_weights():
    """x W y with y of ones is the linear layer W."""

    def run(s, x):
        ones = torch.ones(len(x), 1).to(x)
        return bilinear(body(s, x), ones, s.head.weight[:, :, None], s.head.bias)

    names = ["snip", "fisher", "l2_norm", "synflow", "gradsign", "ntk_cond", "zico", "robust_zcp"]
    found, plain = scores(run, names), scores(lambda s, x: s.head(body(s, x)), names)
    for name in names:
        assert found[name].value == pytest.approx(plain[name].value, rel=1e-7), name
    weight = torch.rand(CLASSES, 6, 5).double()
    two = scores(lambda s, x: bilinear(body(s, x), body(s, x)[:, :5], weight), ["flops"])
    convolutions = 2 * 64 * (3 * 5 * 9 + 5) + 2 * 64 * (5 * 6 * 9 + 6)
    assert two["flops"].value == convolutions + CLASSES * (6 * 5 + 5)
