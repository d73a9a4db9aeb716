"""Scores of modules that nobody here wrote: the right number, or none and the reason."""

import math
import random
import threading

import numpy as np
import pytest
import torch
from torch import nn

import proxies
from testbed.catalogue.registry import PROXIES
from testbed.networks.errors import NetworkError
from testbed.networks.logits import Logits
from tests import any_modules as zoo
from tests.any_modules import (
    Around,
    InPlace,
    Strided,
    Taps,
    Viewing,
    ViT,
    Written,
    cnn,
    exact_input_hessian,
    exact_jacobian,
    exact_parameter_hessian,
    strongest,
)

X, Y = zoo.images(), zoo.labels()


def score(network, name, x=X, y=Y, **options):
    return proxies.score(network, x, y, [name], **options)[name]


def norm(network, x=X):
    return float(exact_jacobian(network, x).norm(dim=(1, 2)).mean())


MODULES = [Taps, Viewing, Strided, InPlace, Written, ViT, cnn]


@pytest.mark.parametrize("make", MODULES)
def test_the_jacobian_is_that_of_the_module_itself(make):
    assert score(make(), "jacobian_norm").value == pytest.approx(norm(make()), rel=1e-4)
    whole = {"jacobian_projection": {"projections": 4}}
    found = score(make(), "jacobian_projection", options=whole)
    assert found.value == pytest.approx(norm(make()), rel=1e-4)


@pytest.mark.parametrize("make", [Taps, Written, ViT])
def test_the_input_hessian_is_that_of_the_module_itself(make):
    x, y = X[:2, :, :8, :8].contiguous(), Y[:2]
    truth = strongest(exact_input_hessian(make(), x, y)).mean()
    assert score(make(), "hessian_input", x, y).value == pytest.approx(float(truth), rel=1e-2)


@pytest.mark.parametrize("make", [Taps, Written, ViT])
def test_the_parameter_hessian_is_that_of_the_module_itself(make):
    x, y = X[:3, :, :8, :8].contiguous(), Y[:3]
    truth = strongest(exact_parameter_hessian(make(), x, y))
    found = score(make(), "hessian_params", x, y)
    assert found.value == pytest.approx(float(truth), rel=1e-2)


def test_a_view_and_a_reshape_have_the_same_parameter_hessian():
    class Reshaping(Viewing):
        def forward(self, x):
            return self.head(torch.relu(self.conv(x)).reshape(x.size(0), -1))

    expected = score(Reshaping(), "hessian_params").value
    assert score(Viewing(), "hessian_params").value == pytest.approx(expected, rel=1e-5)


def test_folding_is_given_up_where_somebody_reads_between_and_the_score_says_so():
    found = score(Taps(), "jacobian_norm")
    assert "folding" in found.details["given_up"]
    assert "given_up" not in score(cnn(), "jacobian_norm").details


@pytest.mark.parametrize("make", [Viewing, Strided])
def test_a_layout_that_fails_or_changes_the_function_is_given_up(make):
    assert "layout" in score(make(), "jacobian_norm").details["given_up"]


class Calibrated(nn.Module):
    """Fresh batch norms behind a step that reads memory as it lies."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(256)
        self.head = nn.Linear(1024, 4)

    def forward(self, x):
        h = self.conv(x)
        h = h.as_strided((len(x), 256, 2, 2), (1024, 4, 2, 1))
        return self.head(self.norm(h).relu().flatten(1))


def test_statistics_are_not_calibrated_in_a_layout_that_changes_the_function():
    found, exact = Calibrated(), Calibrated().double()
    for layer in (found, exact):
        layer.train()
    exact.norm.momentum = None
    with torch.no_grad():
        exact(X.double())
    assert score(found, "jacobian_norm").value == pytest.approx(norm(exact.eval()), rel=1e-4)


def test_exact_is_claimed_where_it_holds_only():
    assert score(Written(), "hessian_input").details["method"] == "lanczos"
    assert score(Written(torch.relu), "hessian_input").details["method"] == "exact"
    for make in (Strided, cnn, lambda: nn.Sequential(cnn(), nn.Hardsigmoid())):
        assert score(make(), "hessian_input").details["method"] == "exact"


class Surrogate(torch.autograd.Function):
    """Looks like a ReLU going forward, and has a smooth derivative going back."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.relu()

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * torch.sigmoid(4 * x)


def test_a_claim_of_linearity_is_verified_by_one_product():
    assert score(Around(Surrogate.apply), "hessian_input").details["method"] == "lanczos"


def same(value):
    """Equal to the last bit, or NaN like it."""
    return pytest.approx(value, rel=0, abs=0, nan_ok=True)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("name", PROXIES)
def test_the_modes_of_the_caller_do_not_matter(mode, name):
    expected = score(cnn(), name)
    with mode():
        network, x = cnn(), X.clone()
        found = score(network, name, x)
        assert (found.value, found.reason) == (same(expected.value), expected.reason)
        assert torch.is_grad_enabled() is False


def test_autocast_does_not_matter():
    expected = score(cnn(), "jacobian_norm").value
    with torch.autocast("cpu", torch.bfloat16):
        assert score(cnn(), "jacobian_norm").value == expected


INFLUENCE = {
    "mean": lambda: Around(lambda x: x - x.mean(0, keepdim=True)),
    "faint": lambda: Around(lambda x: x + 1e-4 * x.roll(1, 0)),
    "kept in train mode": lambda: nn.Sequential(Stubborn(), cnn()),
}


class Stubborn(nn.BatchNorm2d):
    """A batch norm that stays in train mode."""

    def __init__(self):
        super().__init__(3)
        self.running_mean += 0.1  # not fresh

    def train(self, mode=True):
        return super().train(True)


@pytest.mark.parametrize("name", ["jacobian_norm", "jacobian_projection", "hessian_input"])
@pytest.mark.parametrize("kind", INFLUENCE)
@pytest.mark.parametrize("count", [1, 8])
def test_images_that_influence_each_other_have_no_score_of_their_own(kind, name, count):
    found = score(INFLUENCE[kind](), name, X[:count], Y[:count])
    assert math.isnan(found.value)
    assert "influence each other" in found.reason


def test_a_loss_over_the_batch_is_defined_all_the_same():
    network = Around(lambda x: x - x.mean(0, keepdim=True))
    truth = strongest(exact_parameter_hessian(network, X[:, :, :8, :8], Y))
    found = score(network.float(), "hessian_params", X[:, :, :8, :8].contiguous())
    assert found.value == pytest.approx(float(truth), rel=1e-2)


def test_an_estimate_and_its_norm_agree_in_mode_batch():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(8, 4),
    )  # fmt: skip
    exact = score(network, "jacobian_norm", batch_norm="batch").value
    whole = {"jacobian_projection": {"projections": 4}}
    found = score(network, "jacobian_projection", batch_norm="batch", options=whole).value
    assert found == pytest.approx(exact, rel=1e-5)


OUTPUTS = {
    "(N,)": (lambda z: z[:, 0], "zeros_like"),
    "(N, 1)": (lambda z: z[:, :1], "zeros_like"),
    "(N, K, 1, 1)": (lambda z: z[:, :, None, None], r"flatten\(1\)"),
    "a map": (lambda z: z[:, :, None, None].repeat(1, 1, 2, 2), "pool"),
    "dict": (lambda z: {"logits": z}, r"output\['logits'\]"),
    "tuple": (lambda z: (z, z), r"output\[0\]"),
    "object": (lambda z: type("Output", (), {"logits": z})(), r"output\.logits"),
    "None": (lambda z: None, "NoneType"),
    "classes": (lambda z: z.argmax(1), "not the classes"),
    "half": (lambda z: z.half(), "float"),
    "rows": (lambda z: z[:1], "images went in"),
}


@pytest.mark.parametrize("kind", OUTPUTS)
def test_what_is_no_logits_is_refused_with_the_way_out(kind):
    after, way_out = OUTPUTS[kind]
    with pytest.raises(NetworkError, match=way_out):
        score(Around(after=after), "jacobian_norm")


def test_the_way_out_works():
    network = Logits(Around(after=lambda z: {"logits": z}), lambda output: output["logits"])
    assert score(network, "jacobian_norm").value == score(cnn(), "jacobian_norm").value


@pytest.mark.parametrize("wrong", [7, -1, -100, 4])
@pytest.mark.parametrize("name", ["hessian_input", "jacobian_norm"])
def test_labels_that_are_no_classes_are_refused(wrong, name):
    y = Y.clone()
    y[3] = wrong
    with pytest.raises(NetworkError, match="labels are 0 to 3"):
        score(cnn(), name, y=y)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (X * 255, "divide by 255"),
        (X - 0.5, "divide by 255"),
        (X.half(), "float32 or float64"),
        (X.bfloat16(), "float32 or float64"),
        (X * torch.nan, r"in \[0, 1\]"),
    ],
)
def test_images_that_are_none_are_refused(x, message):
    with pytest.raises(NetworkError, match=message):
        score(cnn(), "jacobian_norm", x)


def test_labels_are_needed_by_those_that_compare_only():
    assert score(cnn(), "jacobian_norm", y=None).value > 0
    with pytest.raises(NetworkError, match="true classes"):
        score(cnn(), "hessian_params", y=None)


def test_a_half_network_computes_in_the_images_precision():
    assert score(cnn().half(), "jacobian_norm").value == pytest.approx(norm(cnn()), rel=1e-2)


def test_the_users_images_and_buffers_stay():
    x, network = X.clone(), zoo.Counting()
    proxies.score(InPlace(), x, Y)
    assert torch.equal(x, X)
    assert score(network, "jacobian_norm").value == score(cnn(), "jacobian_norm").value
    assert network.calls == 0


@pytest.mark.parametrize("name", PROXIES)
@pytest.mark.parametrize("wrong", [torch.nan, torch.inf])
def test_weights_that_are_not_finite_give_no_score_and_a_reason(name, wrong):
    network = cnn()
    network[0].weight.data[0, 0, 0, 0] = wrong
    found = score(network, name)
    if not PROXIES[name].structural:
        assert math.isnan(found.value)
        assert found.reason
        assert not found.failed


def test_no_path_of_derivatives_is_a_reason_and_a_constant_is_zero():
    found = score(Around(lambda x: x.detach()), "jacobian_norm")
    assert math.isnan(found.value)
    assert "no path" in found.reason
    assert score(Around(lambda x: torch.zeros_like(x).detach()), "jacobian_norm").value == 0


def test_a_hidden_derivative_is_doubted():
    found = score(Around(lambda x: (x * 255).round() / 255), "jacobian_norm")
    assert found.value == 0
    assert "exactly zero" in found.reason


class Once(torch.autograd.Function):
    """A step with a first derivative only."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.tanh()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * (1 - x.tanh() ** 2)


def test_without_a_second_derivative_differences_of_gradients_serve():
    once, smooth = Around(after=lambda z: Once.apply(z) * 3), Around(after=lambda z: z.tanh() * 3)
    for name in ("hessian_input", "hessian_params"):
        found = score(once, name)
        assert "differences of gradients" in found.details["method"]
        assert found.value == pytest.approx(score(smooth, name).value, rel=1e-2)


class Failing(nn.Module):
    def forward(self, x):
        if len(x) == 8 and torch.is_grad_enabled():
            raise RuntimeError("no graph for a batch of eight")
        return x.flatten(1)[:, :4] * 2


def test_one_failing_proxy_does_the_others_no_harm():
    found = proxies.score(Failing(), X, Y, ["params", "flops", "jacobian_norm"])
    assert found["params"].value == 0
    assert found["jacobian_norm"].failed
    assert "batch of eight" in found["jacobian_norm"].reason


def test_a_reentrant_checkpoint_is_explained():
    def through(x):
        return torch.utils.checkpoint.checkpoint(torch.relu, x, use_reentrant=True)

    assert "use_reentrant=False" in score(Around(through), "jacobian_norm").reason


class Compiled(nn.Module):
    """What ``torch.compile`` returns, but for a compiler that takes half a minute to import."""

    def __init__(self, network):
        super().__init__()
        self._orig_mod = network


@pytest.mark.parametrize("wrap", [nn.DataParallel, Compiled])
def test_wrappers_are_taken_off(wrap):
    assert score(wrap(cnn()), "jacobian_norm").value == score(cnn(), "jacobian_norm").value


def test_what_is_no_module_is_refused():
    with pytest.raises(NetworkError, match=r"torch\.nn\.Module"):
        score(lambda x: x.flatten(1), "jacobian_norm")
    with pytest.raises(NetworkError, match="lazy"):
        score(nn.Sequential(nn.Flatten(), nn.LazyLinear(4)), "params")


def test_costs_of_modules_that_hide_their_layers():
    plain = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Flatten(), nn.Linear(1024, 4))
    expected = 256 * 4 * 28 + 4 * 1025
    assert score(plain, "flops").value == expected
    for hidden in (torch.jit.script(plain), torch.jit.trace(plain, X)):
        assert score(hidden, "flops").value == expected
    plain.requires_grad_(False)
    assert score(plain, "params").value == 4 * 28 + 4 * 1025


def test_an_attentions_projections_and_products_are_counted():
    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(12, 2, bias=False, batch_first=True)
            self.head = nn.Linear(12, 4, bias=False)

        def forward(self, x):
            tokens = x.flatten(2).transpose(1, 2)[:, :64].repeat(1, 1, 4)
            return self.head(self.attention(tokens, tokens, tokens)[0].mean(1))

    # 64 tokens: three projections in and one out of 12 × 12, twice 64 × 64 products of 12.
    assert score(Attention(), "flops").value == 64 * 4 * 144 + 2 * 64 * 64 * 12 + 48


class Locked(nn.Module):
    """Holds what cannot be copied, keeps a tensor of its graph, and has a hook."""

    def __init__(self):
        super().__init__()
        self.network, self.lock, self.kept = cnn(), threading.Lock(), None
        self.network[0].register_forward_hook(self._keep)

    def _keep(self, layer, arguments, output):
        self.kept = output

    def forward(self, x):
        with self.lock:
            return self.network(x) + self.kept.mean((1, 2, 3))[:, None]


def test_what_deepcopy_gives_up_on_is_scored_and_left_alone():
    network = Locked()
    network(X)
    before = network.kept
    assert score(network, "jacobian_norm").value == pytest.approx(norm(Locked()), rel=1e-4)
    assert network.kept is before


@pytest.mark.parametrize("normalise", [nn.utils.weight_norm, nn.utils.spectral_norm])
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_old_style_reparametrisations_are_scored(normalise):
    def make():
        torch.manual_seed(0)
        network = nn.Sequential(normalise(nn.Conv2d(3, 4, 3)), nn.ReLU(), nn.Flatten())
        network.append(nn.Linear(784, 4))
        network(X)
        return network.eval()

    assert score(make(), "jacobian_norm").value == pytest.approx(norm(make()), rel=1e-4)


class Spectral(nn.Module):
    """Multiplies the image's frequencies with complex numbers, kept as such or as two tensors."""

    def __init__(self, kind):
        super().__init__()
        self.network, source = cnn(), torch.Generator().manual_seed(1)
        weight = torch.randn(3, 16, 9, generator=source, dtype=torch.complex128)
        if kind == "parameter":
            self.weight = nn.Parameter(weight)
        elif kind == "buffer":
            self.register_buffer("weight", weight)
        else:
            self.register_buffer("real", weight.real.clone())
            self.register_buffer("imaginary", weight.imag.clone())

    def forward(self, x):
        weight = getattr(self, "weight", None)
        weight = torch.complex(self.real, self.imaginary) if weight is None else weight
        return self.network(torch.fft.irfft2(torch.fft.rfft2(x) * weight, s=x.shape[-2:]))


@pytest.mark.parametrize("kind", ["parameter", "buffer"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_complex_numbers_keep_their_imaginary_part(kind, dtype):
    names = ["jacobian_norm", "fgsm_rise", "nwot", "warm_curvature", "snip", "robust_ntk"]
    x = X.to(dtype)
    found = proxies.score(Spectral(kind), x, Y, names)
    plain = proxies.score(Spectral("parts").to(dtype), x, Y, names)
    of_parameters = {"snip", "robust_ntk"} if kind == "parameter" else set()
    for name in names:
        if name in of_parameters:
            assert "weight is of complex numbers" in found[name].reason
        elif not (name == "warm_curvature" and kind == "parameter"):
            assert found[name].value == pytest.approx(plain[name].value, rel=1e-5), name


class Drawing(nn.Module):
    """Draws numbers in every pass, from torch's generator, numpy's or one of its own."""

    def __init__(self, draw):
        super().__init__()
        self.network, self.draw = cnn(), draw

    def forward(self, x):
        return self.network(x) * (1 + self.draw(x))


OWN = torch.Generator().manual_seed(0)
DRAWS = {
    "dropout": lambda x: torch.nn.functional.dropout(torch.ones(4), training=True).to(x),
    "numpy": lambda x: float(np.random.normal()),  # noqa: NPY002
    "python": lambda x: random.random(),
    "own": lambda x: torch.rand(4, generator=OWN).to(x),
}


@pytest.mark.parametrize("kind", DRAWS)
def test_a_score_of_a_network_that_draws_numbers_says_so(kind):
    names = ["params", "jacobian_norm", "snip", "local_nonlinearity", "warm_nwot"]
    found = proxies.score(Drawing(DRAWS[kind]), X, Y, names)
    assert found["params"].reason is None
    for name in names[1:]:
        assert "draws random numbers" in str(found[name].reason), name
        assert not found[name].failed
    idle = proxies.score(Drawing(lambda x: 0 * DRAWS[kind](x)), X, Y, "snip")["snip"]
    assert idle.reason is None
    assert idle.value == pytest.approx(proxies.score(cnn(), X, Y, "snip")["snip"].value, rel=1e-5)
