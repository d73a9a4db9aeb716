"""A user's own networks: how they are named, built and refused."""

import json
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from evaluation.robustness.command import app as attack
from proxies.compute import app as compute
from testbed import images
from testbed.sources import Choice, OwnSource, SourceError, chosen_networks
from testbed.sources.own_name import OwnName, own_names
from testbed.store import read_robustness, read_scores
from tests.zoo.without_torchvision import zoo_library

MODULE = """
import torch
from torch import nn
def cnn(depth=1, *, width=4, name=""):
    torch.manual_seed(depth)
    layers = [nn.Conv2d(1, width, 3, padding=1), nn.ReLU()] * depth if width == 1 else [
        nn.Conv2d(1, width, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * width, 10))
def build(name, width=2):
    return cnn(int(name.removeprefix("net-")), width=width)
"""


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    (tmp_path / "usernets.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    sys.modules.pop("usernets", None)
    yield tmp_path
    sys.modules.pop("usernets", None)


def run(app, *arguments, code=0):
    result = CliRunner().invoke(app, [*map(str, arguments), "--workers", "1"])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return " ".join(result.output.split())


# --- names -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a.b:f", "a.b:f"),
        ("a:f()", "a:f"),
        (" a:f( 3,z = 1.50, b='x' )", "a:f(3, b='x', z=1.5)"),
        ("a:f(w=[1,(2,None)],d={'b':1,'a':True})", "a:f(d={'a': True, 'b': 1}, w=[1, (2, None)])"),
        ("a:f(x=-1)", "a:f(x=-1)"),
        ("timm:resnet18.a1_in1k", "timm:resnet18.a1_in1k"),
        ("timm:resnet18?pretrained", "timm:resnet18(pretrained=True)"),
    ],
)
def test_a_name_has_one_way_of_writing(text, name):
    assert str(OwnName.parse(text)) == name
    assert str(OwnName.parse(name)) == name


@pytest.mark.parametrize(
    "text",
    [
        "a:f(", "a:f)", "a:f(b)", "a:f(g())", "a:f(__import__('os'))", "a:f(*[1])", "a:f(**{})",
        "a:f(x=1, x=2)", "a:f(1)(2)", "a:f(1).g", "a:f(1); b", "a:f(1e999)", "a:f({1, 2})",
        "a:f(b'x')", "a:f(1 + 1j)", "a:f(" + "[" * 500 + "]" * 500 + ")", "a:f(" + "(" * 900,
        "a:f(x for x in [1])", "a:f(lambda: 1)", "a:f(f'{1}')", "a:f(...)", "a:f(x=1\n)\n(2)",
        "a:1f", "a b:f", "a:f g", "a:f?pretrained",
        "a:f(" + "1," * 2000 + ")", ":f", "a:", "a:f(\0)",
    ],
)  # fmt: skip
def test_arguments_are_literals_and_nothing_is_run(text):
    with pytest.raises(SourceError):
        OwnName.parse(text)


def test_a_file_of_names(module):
    path = module / "names.txt"
    path.write_text("\ufeff# two\nnet-1\n\n  net-2 \r\n", encoding="utf-8")
    assert own_names(None, path, "usernets:build( )") == (("net-1", "net-2"), "usernets:build")
    path.write_text("usernets:cnn(depth=1)\nusernets:cnn( depth=1 )\n")
    assert own_names(["usernets:cnn"], path, None)[0] == ("usernets:cnn", "usernets:cnn(depth=1)")


@pytest.mark.parametrize(
    ("content", "factory", "message"),
    [
        (b"", None, "names no network"),
        (b"# a\n\n", "a:b", "names no network"),
        (b"net-1\nnet-2\nnet-1\n", "a:b", "line 1 and in line 3"),
        (b"\xff\xfe", "a:b", "no UTF-8"),
        (b"net\x1b[31m\n", "a:b", "a line of text"),
        (b"x" * 3000, "a:b", "a line of text"),
        (b"net-1\n", None, "module:function"),
        (b"net-1\n", "build", "module:function"),
        (b"net-1\n", "timm:resnet18", "needs none"),
    ],
)
def test_a_list_that_cannot_be_used_is_one_error(module, content, factory, message):
    (module / "names.txt").write_bytes(content)
    with pytest.raises(SourceError, match=message):
        own_names(None, module / "names.txt", factory)


def test_a_factory_without_names_is_an_error():
    with pytest.raises(SourceError, match="add --networks FILE"):
        own_names(None, None, "usernets:build")
    with pytest.raises(SourceError, match="cannot read --networks"):
        own_names(None, Path("nowhere.txt"), "usernets:build")


# --- networks --------------------------------------------------------------------------


def test_arguments_make_networks_and_stand_in_their_names(module):
    names = ("usernets:cnn(width=6)", "usernets:cnn(2, width=6)", "usernets:cnn(width=5)")
    run(compute, *(word for name in names for word in ("--network", name)), "--proxies",
        "params,jacobian_norm", "--store", "a.sqlite")  # fmt: skip
    table = read_scores(module / "a.sqlite")
    params = table[table["proxy"] == "params"].set_index("network")["value"]
    assert dict(params) == {n: w * 10 + 40 * w + 10 for n, w in zip(names, (6, 6, 5), strict=True)}
    norms = table[table["proxy"] == "jacobian_norm"].set_index("network")["value"]
    assert norms[names[0]] != norms[names[1]]  # another depth seeds other weights
    again = run(compute, "--network", "usernets:cnn( 2,width = 6 )", "--proxies", "params",
                "--store", "a.sqlite")  # fmt: skip
    assert "Every result is in the store already" in again


def test_a_factory_builds_from_names_that_stand_in_scores_and_results(module):
    (module / "names.txt").write_text("net-1\nnet-2\n")
    common = ("--networks", "names.txt", "--factory", "usernets:build(width=3)", "--store",
              "a.sqlite")  # fmt: skip
    run(compute, *common, "--proxies", "params,jacobian_norm")
    run(attack, *common, "--attacks", "fgsm", "--epsilons", "4", "--count", "20")
    scores, results = (read(module / "a.sqlite") for read in (read_scores, read_robustness))
    assert set(scores["network"]) == set(results["network"]) == {"net-1", "net-2"}
    settings = [json.loads(text) for text in (*scores["settings"], *results["settings"])]
    assert {entry["factory"] for entry in settings} == {"usernets:build(width=3)"}
    assert len({entry["weights"] for entry in settings}) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--network", "usernets:cnn(deep=2)"], "unexpected keyword argument 'deep'"),
        (["--network", "usernets:cnm"], "did you mean 'cnn'"),
        (["--network", "usernets:cnn(depth=open('x'))"], "are literals"),
        (["--networks", "nowhere.txt"], "cannot read --networks"),
        (["--network", "other", "--factory", "usernets:build"], "usernets:build of other gives no"),
        (["--network", "usernets:cnn", "--archs", "11"], "--archs makes no sense"),
    ],
)
def test_a_network_that_cannot_be_had_is_one_line(arguments, message):
    for app in (compute, attack):
        said = run(app, *arguments, code=2)
        assert message in said
        assert said.count("error: ") == 1


# --- timm ------------------------------------------------------------------------------


def test_without_timm_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    said = run(compute, "--network", "timm:resnet18", code=2)
    assert "timm:resnet18 needs the package timm: pip install 'robustness-proxies[timm]'" in said


def test_a_torchvision_of_another_torch_is_said(monkeypatch, module):
    (module / "timm").mkdir()
    (module / "timm" / "__init__.py").write_text("raise RuntimeError('nms does not exist')")
    for name in [name for name in sys.modules if name.partition(".")[0] == "timm"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(module))
    said = run(compute, "--network", "timm:resnet18", code=2)
    assert "RuntimeError: nms does not exist): does torchvision fit torch?" in said


@pytest.fixture
def timm():
    return zoo_library("timm")


RESNET = "timm:resnet10t(stem_width=4, channels=[4, 8, 8, 8])"
VIT = "timm:vit_tiny_patch16_224(depth=1, embed_dim=24, num_heads=2, patch_size=4)"


def test_networks_of_timm_fit_the_images(timm):
    digits = images.load("digits")
    source, names, seeds = chosen_networks(Choice(own=(RESNET, VIT)), digits)
    assert (len(names), seeds, source.init) == (2, [None], "own")
    for name in names:
        network = source.build(name, None)
        assert network(digits.images(torch.arange(2))).shape == (2, 10)
        assert tuple(next(network.children()).mean) == pytest.approx(digits.mean)
    other = OwnSource.of([RESNET.replace("(", "(seed=1, ")], images=digits)
    assert other.fingerprints[0] != source.fingerprints[0]
    assert other == OwnSource.of([RESNET.replace("(", "(seed=1, ")], images=digits)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("timm:resnet81", "did you mean"),
        ("timm:resnet18(num_classes=3)", "it is that of the images"),
        ("timm:resnet18(checkpoint_path='x')", "in a function of yours"),
        ("timm:resnet18(3)", "arguments are named"),
        ("timm:resnet18(pretrained=1)", "True or False"),
        ("timm:resnet18(block_size=3)", "cannot be built for 10 classes"),
        ("timm:vit_tiny_patch16_224(depth=1)", "does not take the images"),
    ],
)
def test_what_timm_cannot_build_is_said(timm, name, message):
    with pytest.raises(SourceError, match=message):
        chosen_networks(Choice(own=(name,)), images.load("digits"))


def test_weights_that_cannot_be_reached_are_said(timm, monkeypatch):
    plain = timm.create_model

    def unreachable(name, pretrained=False, **options):
        if pretrained:
            raise ConnectionError("no route to huggingface.co\nand so on")
        return plain(name, **options)

    monkeypatch.setattr(timm, "create_model", unreachable)
    with pytest.raises(SourceError, match=r"weights of 'resnet18' cannot be had \(ConnectionErr"):
        OwnSource.of(["timm:resnet18?pretrained"], images=images.load("digits"))


def test_an_untrained_network_of_timm_is_not_attacked(timm):
    assert "is untrained: its robust accuracy is chance" in run(attack, "--network", RESNET, code=2)
