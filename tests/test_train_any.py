"""Training networks of any space, and a user's own: into one kind of folder, found again by all."""

import json
import sys
from importlib import import_module

import pytest
import torch
from typer.testing import CliRunner

from evaluation.robustness.command import app as attack
from testbed import images
from testbed.basis.errors import ToolkitError
from testbed.networks.accuracy import accuracy
from testbed.sources import Choice, chosen_networks
from testbed.store import read_robustness
from testbed.train.checkpoints import CheckpointError, settings_of, trained_network
from testbed.train.command import app
from testbed.train.own import OwnNetworks
from testbed.train.recipe import PRESETS, Recipe, override
from testbed.train.training import train

MODULE = """
import torch
from torch import nn

class Viewed(nn.Module):
    '''Reads memory as it lies, which is not so in every layout; and drops values at random.'''
    def __init__(self, width):
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, width, 3, padding=1), nn.Linear(64 * width, 10)
        self.drop = nn.Dropout(.2)
        self.register_buffer("scale", torch.tensor(2.0), persistent=False)
    def forward(self, x):
        x = torch.relu(self.conv(self.scale * x))
        return self.head(self.drop(x.view(len(x), -1)))

def build(name, depth=1):
    return Viewed(int(name.removeprefix("net-")))

def cnn(width=4):
    return nn.Sequential(nn.Conv2d(1, width, 3), nn.ReLU(), nn.Flatten(), nn.Linear(36 * width, 10))

def wrong(name):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 7))
"""
FAST = ("--epochs", "1", "--workers", "1")


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    (tmp_path / "usernets2.py").write_text(MODULE)
    (tmp_path / "names.txt").write_text("net-2\nnet-3\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    sys.modules.pop("usernets2", None)
    yield tmp_path
    sys.modules.pop("usernets2", None)


def run(command, *arguments, code=0):
    result = CliRunner().invoke(command, list(map(str, arguments)))
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return " ".join(result.output.split())


FACTORY = ("--networks", "names.txt", "--factory", "usernets2:build")


def test_networks_of_a_factory_are_trained_and_attacked(module):
    said = run(app, *FACTORY, *FAST, "--out", "weights")
    assert "Test accuracy of 2 networks" in said
    assert "net-3" in said
    files = sorted(path.name for path in (module / "weights").glob("*.safetensors"))
    assert len(files) == 2
    assert all(name.startswith("own-") for name in files)
    test = images.load("digits", split="test")
    source, networks, seeds = chosen_networks(Choice("trained", module / "weights"), test)
    assert (sorted(networks), seeds) == (["net-2", "net-3"], [0])
    facts = source.settings("net-2", 0)
    assert facts["factory"] == "usernets2:build"
    assert not {"channels", "cells"} & facts.keys()
    told = settings_of("weights", "net-2", 0)
    assert accuracy(source.build("net-2", 0), test) == told["test"]["accuracy"]
    run(attack, "--init", "trained", "--weights", "weights", "--attacks", "fgsm", "--epsilons", "8",
        "--count", "20", "--workers", "1", "--store", "out.sqlite")  # fmt: skip
    assert set(read_robustness("out.sqlite")["network"]) == {"net-2", "net-3"}
    assert "trained already" in run(app, *FACTORY, *FAST, "--out", "weights")


def test_networks_that_say_how_they_are_built_lie_beside_those_of_spaces(module):
    run(app, "--network", "usernets2:cnn(width=2)", *FAST, "--out", "weights")
    run(app, "--archs", "0", *FAST, "--out", "weights")
    test = images.load("digits", split="test")
    _, networks, _ = chosen_networks(Choice("trained", module / "weights"), test)
    assert len(networks) == 2
    assert "usernets2:cnn(width=2)" in networks
    recipe = json.loads((module / "weights" / "recipe.json").read_text())
    assert "factory" not in recipe
    said = run(app, *FACTORY, *FAST, "--out", "weights", code=2)
    assert "factory is not given there and usernets2:build here" in said


def test_an_own_training_goes_on_with_the_same_bits(module):
    digits, states = images.load("digits"), []
    recipe = override(PRESETS["tiny"], epochs=2)
    own = OwnNetworks.of("usernets2:build", digits)
    torch.manual_seed(1)
    whole, _ = train("net-2", recipe, digits, 3, own=own, on_epoch=states.append)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    rest, history = train("net-2", recipe, digits, 3, own=own, state=states[0])
    assert torch.equal(torch.get_rng_state(), before)
    assert len(history) == 2
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, rest.state_dict()[name])
    other = own.build("net-2", 4, 10).state_dict()
    first = own.build("net-2", 3, 10).state_dict()
    assert not torch.equal(first["head.weight"], other["head.weight"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--networks", "names.txt", "--factory", "usernets2:wrong"), "has 10 classes"),
        (("--networks", "names.txt", "--factory", "usernets2:bild"), "did you mean 'build'"),
        ((*FACTORY, "--channels", "4"), "--network names the networks"),
        ((*FACTORY, "--space", "darts"), "--network names the networks"),
        (("--factory", "usernets2:build"), "add --networks FILE"),
        (("--space", "size", "--archs", "0", "--channels", "4"), "no channels to choose"),
        (("--space", "darts", "--channels", "900", "--cells", "90"), "a network has at most"),
        (("--channels", "1024", "--cells", "100"), "a network has at most"),
    ],
)
def test_what_cannot_be_trained_is_one_line(options, words, module):
    said = run(app, *options, *FAST, "--out", "weights", code=2)
    assert words in said
    assert not (module / "weights").exists()


def test_names_of_a_space_are_not_taken_for_own_ones(module):
    (module / "names.txt").write_text("8:16:24:32:40\n")
    said = run(app, *FACTORY, *FAST, "--out", "weights", code=2)
    assert "names a network of NATS-Bench's size space" in said


def test_networks_of_published_spaces_are_trained(module):
    said = run(app, "--archs", "8:8:8:8:8", *FAST, "--out", "weights")
    assert "8:8:8:8:8" in said or "Test accuracy of 1 networks" in said
    said = run(app, "--space", "darts", "--archs", "sample:1", "--channels", "1", "--cells", "1",
               *FAST, "--out", "others")  # fmt: skip
    assert "built with 1 channels, 1 cells (published: 36 channels, 20 cells)" in said
    (one,) = (module / "others").glob("darts-*.json")
    facts = json.loads(one.read_text())
    digits = images.load("digits", split="test")
    built = trained_network("others", facts["genotype"], 0)
    assert accuracy(built, digits) == pytest.approx(facts["test"]["accuracy"])


def test_settings_of_own_networks_that_cannot_be_are_refused(module):
    run(app, "--network", "usernets2:cnn", *FAST, "--out", "weights")
    (path,) = (module / "weights").glob("own-*.json")
    facts = json.loads(path.read_text())
    for change in (
        {"factory": "os:system; x"}, {"factory": 3}, {"shape": [1, 8]}, {"mean": [0.5, 0.5]},
        {"std": [0]}, {"more": 1},
    ):  # fmt: skip
        broken = {**facts, "own": {**facts["own"], **change}}
        path.write_text(json.dumps(broken))
        with pytest.raises(CheckpointError, match="remove it and train again"):
            settings_of("weights", "usernets2:cnn", 0)
    path.write_text(json.dumps({k: v for k, v in facts.items() if k != "own"}))
    with pytest.raises(ToolkitError, match="no known search space"):
        settings_of("weights", "usernets2:cnn", 0)
    with pytest.raises(CheckpointError, match="of no known search space"):
        settings_of("weights", "usernets2:cmm", 0)


def test_former_paths_are_the_same_things():
    for place in ("testbed.nasbench201.recipe", "testbed.spaces.nasbench201.recipe"):
        assert import_module(place).Recipe is Recipe
    former = import_module("testbed.spaces.nasbench201.checkpoints")
    assert former.trained_network is trained_network
