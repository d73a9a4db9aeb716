"""Attacks on modules that nobody here wrote: the right accuracy, or none and the reason."""

import math

import pytest
import torch
from torch import nn

from evaluation.attacks import ATTACKS, evaluate, make
from testbed.networks.errors import NetworkError
from tests import any_modules as zoo
from tests.any_modules import Around, Counting, InPlace, Strided, Taps, Viewing, ViT, cnn

X = zoo.images()
CHEAP = {
    "pgd": {"steps": 3}, "apgd-ce": {"steps": 3}, "apgd-dlr": {"steps": 3},
    "apgd-t": {"steps": 3, "target_classes": 1}, "fab-t": {"steps": 3, "target_classes": 1},
    "square": {"queries": 20}, "autoattack": {"steps": 2, "queries": 10},
}  # fmt: skip


def attack(name):
    return make(name, **CHEAP.get(name, {}))


def classes(network, x=X):
    with torch.no_grad():
        return network(x.clone()).argmax(1)


def run(network, name="pgd", x=X, y=None, epsilons=(1.0,), **options):
    y = classes(network, x) if y is None else y
    return evaluate(network, x, y, attack(name), list(epsilons), **options)


def accuracy(result):
    return [float(level.robust.double().mean()) for level in result.levels]


def test_logits_that_are_no_numbers_name_no_class():
    result = run(Around(after=lambda z: z * torch.nan), y=torch.arange(8) % 2)
    assert not result.correct.any()
    assert accuracy(result) == [0]
    assert any("not finite" in warning for warning in result.warnings)


def test_only_the_images_whose_logits_are_no_numbers_are_wrong():
    dark = X.clone()
    dark[3] = 0
    network = Around(after=lambda z: torch.where(z == cnn()(dark)[3], torch.nan, z).nan_to_num(0))
    spoiled = Around(lambda x: x / (x.amax((1, 2, 3), keepdim=True) > 0))
    result = run(spoiled, x=dark, y=classes(cnn(), dark), name="fgsm", epsilons=(0.0,))
    assert result.correct.tolist() == [i != 3 for i in range(8)]
    assert math.isnan(float(result.levels[0].label_confidence[3]))
    assert int(result.levels[0].prediction[3]) == -1
    assert network is not spoiled


@pytest.mark.parametrize("name", ["apgd-ce", "apgd-t", "fab-t", "autoattack"])
def test_logits_in_double_precision_give_the_same_outcome(name):
    single, double = (
        evaluate(network, X, classes(cnn()), attack(name), [2.0, 8.0])
        for network in (cnn(), Around(after=lambda z: z.double()))
    )
    for one, other in zip(single.levels, double.levels, strict=True):
        assert torch.equal(one.robust, other.robust)


INFLUENCE = {
    "mean": lambda: Around(lambda x: x - x.mean(0, keepdim=True)),
    "no statistics": lambda: nn.Sequential(nn.BatchNorm2d(3, track_running_stats=False), cnn()),
    "faint": lambda: Around(lambda x: x + 1e-4 * x.roll(1, 0)),
}


@pytest.mark.parametrize("kind", INFLUENCE)
@pytest.mark.parametrize("count", [1, 8, 20])
def test_images_that_influence_each_other_are_refused(kind, count):
    with pytest.raises(NetworkError, match="influence each other"):
        run(INFLUENCE[kind](), x=zoo.images(count))


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("name", ["pgd", "square"])
def test_the_modes_of_the_caller_do_not_matter(mode, name):
    expected = accuracy(run(cnn(), name, epsilons=(8.0,)))
    with mode():
        assert accuracy(run(cnn(), name, x=X.clone(), epsilons=(8.0,))) == expected


@pytest.mark.parametrize("make_network", [Taps, Viewing, Strided, InPlace, ViT, cnn])
@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_runs_and_leaves_images_and_network_as_they_were(make_network, name):
    network, x = make_network().train(), X.clone()
    result = run(network.eval(), name, x=x, epsilons=(1.0, 64.0))
    assert torch.equal(x, X)
    assert result.correct.all()
    for level in result.levels:
        assert float((level.images - X).abs().max()) <= level.epsilon / 255 + 1e-6
        assert torch.equal(classes(network, level.images) == classes(network), level.robust)


def test_buffers_are_refused_at_the_start_and_put_back():
    network = Counting()
    with pytest.raises(NetworkError, match="calls"):
        run(network, y=torch.zeros(8, dtype=torch.int64))
    assert network.calls == 0


def test_buffers_that_are_no_numbers_are_no_change():
    network = cnn()
    network.register_buffer("unknown", torch.full((2,), torch.nan))
    assert run(network).correct.all()


BLIND = {
    "numpy": lambda x: torch.from_numpy((x.detach().numpy() * 255).round() / 255),
    "rounding": lambda x: (x * 255).round() / 255,
    "no grad": lambda x: x.detach(),
}


@pytest.mark.parametrize("kind", BLIND)
@pytest.mark.parametrize("name", ATTACKS)
def test_without_a_gradient_gradient_attacks_are_doubted_and_square_runs(kind, name):
    network = Around(BLIND[kind])
    result = run(network, name, epsilons=(64.0,))
    doubted = any("zero gradients" in warning for warning in result.warnings)
    assert doubted is ATTACKS[name].gradients
    if name == "square":
        open_result = run(Around(), name, epsilons=(64.0,))
        assert accuracy(result) <= [accuracy(open_result)[0] + 0.25]
        assert result.levels[0].queries > 0


@pytest.mark.parametrize("classes_", [2, 3])
@pytest.mark.parametrize("name", ATTACKS)
def test_few_classes_are_decided_at_the_start(classes_, name):
    network = Around(after=lambda z: z[:, :classes_])
    # Wrong labels throughout: nothing is left to attack, and the answer is the same.
    for y in (classes(network), 1 - classes(network).clamp_max(1)):
        if (name, classes_) in (("apgd-dlr", 2), ("apgd-t", 2), ("apgd-t", 3)):
            with pytest.raises(ValueError, match="classes"):
                run(network, name, y=y)
        else:
            warnings = run(network, name, y=y).warnings
            assert any("apgd-t" in text for text in warnings) is (name == "autoattack")


@pytest.mark.parametrize("wrong", [7, -1, -100])
def test_labels_that_are_no_classes_are_refused(wrong):
    y = torch.zeros(8, dtype=torch.int64)
    y[2] = wrong
    with pytest.raises(NetworkError, match="labels are 0 to 3"):
        run(cnn(), y=y)


@pytest.mark.parametrize(
    "after", [lambda z: z[:, 0], lambda z: {"logits": z}, lambda z: z[:, :, None, None]]
)
def test_what_is_no_logits_is_refused(after):
    with pytest.raises(NetworkError, match="Logits"):
        run(Around(after=after), y=torch.zeros(8, dtype=torch.int64))


@pytest.mark.parametrize("x", [X.half(), X.bfloat16(), X * 255])
def test_images_that_are_none_are_refused(x):
    with pytest.raises(NetworkError, match=r"images|pixels"):
        run(cnn(), x=x, y=torch.zeros(8, dtype=torch.int64))
