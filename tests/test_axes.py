"""One function, written in the ways that are met: where images and channels lie is no matter."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - the field's name

import proxies
from tests.any_modules import CLASSES

IMAGES = torch.rand(8, 3, 4, 2, generator=torch.Generator().manual_seed(3)).double()
LABELS = torch.arange(8) % CLASSES
NAMES = ("grad_norm", "fisher", "nwot", "swap", "lswag", "wpca", "near", "az_expressivity")


class Form(nn.Module):
    """tanh(h + C gelu(B h)) with h = relu(A x) at each pixel, averaged, then a classifier."""

    def __init__(self, form):
        super().__init__()
        self.form, source = form, torch.Generator().manual_seed(0)
        for name, shape in (("a", (6, 3)), ("b", (5, 6)), ("c", (6, 5)), ("f", (CLASSES, 6))):
            weight = 0.4 * torch.randn(*shape, generator=source).double()
            setattr(self, name, nn.Parameter(weight))

    a: nn.Parameter
    b: nn.Parameter
    c: nn.Parameter
    f: nn.Parameter

    def pixels(self, x, product, *axes):
        h = product(x, self.a).relu()
        h = torch.tanh(h + product(F.gelu(product(h, self.b)), self.c))
        return h.mean(axes) @ self.f.T

    def forward(self, x):
        return self.form(self, x)


def convolved(dimensions):
    convolution = (F.conv1d, F.conv2d, F.conv3d)[dimensions - 1]
    return lambda x, w: convolution(x, w.reshape(*w.shape, *[1] * dimensions))


def in_rows(self, x):
    rows = x.permute(0, 2, 3, 1).reshape(-1, 3)
    h = (rows @ self.a.T).relu()
    h = torch.tanh(h + F.gelu(h @ self.b.T) @ self.c.T)
    return h.view(len(x), -1, 6).mean(1) @ self.f.T


def in_patches(self, x):
    patches = x.reshape(len(x), 3, 2, 2, 2).transpose(1, 2).reshape(-1, 3, 2, 2)
    h = convolved(2)(patches, self.a).relu()
    h = torch.tanh(h + convolved(2)(F.gelu(convolved(2)(h, self.b)), self.c))
    return h.mean((2, 3)).view(len(x), 2, -1).mean(1) @ self.f.T


ORDERED = {
    "channels last": lambda self, x: self.pixels(x.permute(0, 2, 3, 1), F.linear, 1, 2),
    "tokens": lambda self, x: self.pixels(x.flatten(2).transpose(1, 2), F.linear, 1),
    "weights on the left": lambda self, x: self.pixels(x.flatten(2), lambda h, w: w @ h, 2),
    "one dimension": lambda self, x: self.pixels(x.flatten(2), convolved(1), 2),
    "three dimensions": lambda self, x: self.pixels(x[:, :, None], convolved(3), 2, 3, 4),
    "einsum": lambda self, x: self.pixels(
        x, lambda h, w: torch.einsum("oc,bchw->bohw", w, h), 2, 3
    ),
}
# As many tokens as images; images that are a part of a dimension only, and so have no blocks.
OTHERS = {
    "tokens first": lambda self, x: self.pixels(x.flatten(2).permute(2, 0, 1), F.linear, 0),
    "rows": in_rows,
    "patches": in_patches,
}


def scores(form, names=NAMES):
    found = proxies.score(Form(form), IMAGES, LABELS, names)
    assert not [score.reason for score in found.values() if score.reason]
    return {name: score.value for name, score in found.items()}


@pytest.fixture(scope="module")
def expected():
    return scores(lambda self, x: self.pixels(x, convolved(2), 2, 3))


@pytest.mark.parametrize("form", ORDERED)
def test_the_way_of_writing_is_no_matter(form, expected):
    assert scores(ORDERED[form]) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("form", OTHERS)
def test_images_are_found_behind_tokens_and_within_rows(form, expected):
    names = NAMES[:6]  # the rows that near draws come in another order
    assert scores(OTHERS[form], names) == pytest.approx(
        {name: expected[name] for name in names}, rel=1e-9
    )


class Grouped(nn.Module):
    """Groups of channels with a matrix each, as one batch of products or one after the other."""

    def __init__(self, apart):
        super().__init__()
        source = torch.Generator().manual_seed(0)
        draw = lambda *shape: nn.Parameter(torch.randn(*shape, generator=source).double())  # noqa: E731
        self.apart, self.stem, self.head = apart, draw(8, 3), draw(12, CLASSES)
        weights = draw(4, 2, 3)
        if apart:
            self.each = nn.ParameterList([nn.Parameter(w.detach().clone()) for w in weights])
        else:
            self.all = weights

    def forward(self, x):
        h = (x.mean((2, 3)) @ self.stem.T).relu().unflatten(1, (4, 2))
        if self.apart:
            h = torch.stack([h[:, g] @ w for g, w in enumerate(self.each)], 1)
        else:
            h = torch.einsum("bgi,gio->bgo", h, self.all)
        return h.relu().flatten(1) @ self.head


def test_groups_have_channels_of_their_own():
    together, apart = (
        proxies.score(Grouped(apart), IMAGES, LABELS, ["fisher", "snip"]) for apart in (False, True)
    )
    for name, score in together.items():
        assert score.value == pytest.approx(apart[name].value, rel=1e-9)


class Rows(nn.Module):
    """An LSTM over the rows of an image."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.recurrent, self.head = nn.LSTM(6, 5, batch_first=True), nn.Linear(5, CLASSES)

    def forward(self, x):
        return self.head(self.recurrent(x.permute(0, 2, 1, 3).flatten(2))[0][:, -1])


def test_a_recurrence_is_seen_in_any_precision():
    names = ("flops", "grad_norm", "fisher", "nwot", "swap", "near", "vkdnw", "gradsign")
    double, single = (proxies.score(Rows(), x, LABELS, names) for x in (IMAGES, IMAGES.float()))
    for name in names:
        assert single[name].value == pytest.approx(double[name].value, rel=1e-3), name
    products = 4 * (4 * 5) * (6 + 5) + 5 * CLASSES  # four rows, four gates; biases come on top
    assert products < single["flops"].value <= products + 4 * (4 * 5) * 2 + CLASSES


def _inside(h):
    h[:, :3].relu_()
    return h


# Each pair is one function; a copy that autograd makes, or a view, has a node of its own.
ONE_FUNCTION = {
    "silu": (F.silu, lambda h: F.silu(h, inplace=True)),
    "relu6": (F.relu6, lambda h: F.relu6(h, inplace=True)),
    "hardswish": (F.hardswish, lambda h: F.hardswish(h, inplace=True)),
    "hardsigmoid": (F.hardsigmoid, lambda h: F.hardsigmoid(h, inplace=True)),
    "mish": (F.mish, lambda h: F.mish(h, inplace=True)),
    "clamp": (lambda h: h.clamp(min=0), lambda h: h.clamp_(min=0)),
    "threshold": (F.relu, lambda h: F.threshold(h, 0, 0, inplace=True)),
    "maximum": (F.relu, lambda h: torch.maximum(h, torch.zeros(1, dtype=h.dtype))),
    "celu": (F.elu, F.celu),
    "a view": (F.silu, lambda h: F.silu(h.flatten(2), inplace=True).view(h.shape)),
    "a part": (lambda h: torch.cat([h[:, :3].relu(), h[:, 3:]], 1), _inside),
}


class Bent(nn.Module):
    def __init__(self, bend):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)
        self.head, self.bend = nn.Linear(6, CLASSES), bend

    def forward(self, x):
        return self.head(self.bend(self.second(self.bend(self.first(x)))).mean((2, 3)))


@pytest.mark.parametrize("pair", ONE_FUNCTION)
def test_a_unit_is_a_unit_in_place_or_not(pair):
    names = ("nwot", "swap", "near", "wpca", "flipped_relus")
    there, here = (proxies.score(Bent(f), IMAGES, LABELS, names) for f in ONE_FUNCTION[pair])
    for name in names:
        assert here[name].value == pytest.approx(there[name].value, rel=1e-9), here[name]
