"""Where networks come from: what every source promises, and what a command says of bad input."""

import json
import pickle
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from evaluation.ranking.score_columns import labels, score_columns
from proxies.compute import app
from testbed import images
from testbed.sources import (  # fmt: skip
    Choice,
    OwnSource,
    PretrainedSource,
    RandomSource,
    SourceError,
    TrainedSource,
    chosen_networks,
)
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.nasbench201.weights import random_network
from testbed.store import read_scores
from testbed.train.checkpoint_files import fingerprint_of_weights, write_json
from testbed.train.checkpoints import Checkpoint, checkpoint_path, save_checkpoint
from testbed.train.recipe import Recipe
from tests.archive_writer import write_nats

NAMES = [str(Genotype.from_index(index)) for index in (11, 284)]
IMAGES = {"name": "digits", "split": "train", "count": 8, "fingerprint": "0"}
MODULE = """
import sys
import torch
from torch import nn
from testbed.networks.normalise import normalised


def make(activation=nn.ReLU, mean=0.5, used=True, classes=10):
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(4)
    if used:
        norm.running_mean += 1
    layers = (nn.Conv2d(1, 4, 3), norm, activation(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return normalised(nn.Sequential(*layers, nn.Linear(4, classes)), (mean,), (1.0,))


class Odd(nn.Module):
    def __init__(self, forward):
        super().__init__()
        self.forward = forward


def good(): return make()
def smooth(): return make(nn.SiLU)
def darker(): return make(mean=0.4)
def fresh(): return make(used=False)
def half(): return make().bfloat16()
def drawn(): return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
def many(): return make(classes=7)
def colour(): return normalised(nn.Flatten(), (0.1, 0.2, 0.3), (1.0, 1.0, 1.0))
def pair(): return Odd(lambda x: (x, x))
def asserting(): return Odd(lambda x: [][0])
def number(): return 3
def failing(): raise KeyError("no weights")
def leaving(): sys.exit(3)
COUNT = []
def changing():
    COUNT.append(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10 + len(COUNT)))
"""


def save(folder: Path, name: str, seed: int, in_channels: int = 1, epochs: int = 5) -> None:
    network = random_network(Genotype.parse(name), seed, channels=4, cells=1,
                             in_channels=in_channels)  # fmt: skip
    for key, value in network.state_dict().items():
        if key.endswith("running_mean"):
            value += 0.1
    weights = network.state_dict()
    checkpoint = Checkpoint(
        name, seed, Recipe(epochs=epochs, channels=4, cells=1), IMAGES, 10, in_channels,
        (0.5,) * in_channels, (0.3,) * in_channels, ({"loss": 1.0, "accuracy": 0.5},),
        {"accuracy": 0.5, **IMAGES}, fingerprint_of_weights(weights), {"seconds": 1.0},
    )  # fmt: skip
    save_checkpoint(folder, checkpoint, weights)


@pytest.fixture
def trained(tmp_path) -> Path:
    for name in NAMES:
        for seed in (0, 1):
            save(tmp_path / "trained", name, seed)
    return tmp_path / "trained"


@pytest.fixture
def own(tmp_path, monkeypatch) -> Path:
    (tmp_path / "mynetworks.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    sys.modules.pop("mynetworks", None)
    yield tmp_path
    sys.modules.pop("mynetworks", None)


def score(*arguments: object, code: int = 0) -> str:
    common = ["--batch-size", "10", "--proxies", "params,jacobian_norm", "--workers", "1"]
    result = CliRunner().invoke(app, [*common, *map(str, arguments)])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    if code:
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert result.output.count("error: ") == 1
    return result.output


@pytest.fixture(params=["random", "trained", "pretrained", "own"])
def source(request, tmp_path, trained, own):
    if request.param == "random":
        return RandomSource("random", (0.5,), (0.3,), 4, 1, 10, 1), NAMES[0], 0
    if request.param == "trained":
        return TrainedSource(trained), NAMES[0], 1
    if request.param == "own":
        return OwnSource.of(["mynetworks:good"]), "mynetworks:good", None
    write_nats(tmp_path / "archive", 11)
    return PretrainedSource(tmp_path / "archive"), NAMES[0], 777


def test_the_contract(source):
    source, name, seed = source
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again = source.build(name, seed), pickle.loads(pickle.dumps(source)).build(name, seed)
    assert torch.equal(torch.get_rng_state(), before)
    assert not any(layer.training for layer in first.modules())
    assert fingerprint_of_weights(first.state_dict()) == fingerprint_of_weights(again.state_dict())
    pixels = torch.rand(3, 3 if source.init == "pretrained" else 1, 8, 8)
    assert torch.equal(first(pixels), again(pixels))
    assert first(pixels).shape == (3, 10)
    assert json.loads(json.dumps(source.settings(name, seed))) == source.settings(name, seed)


def test_settings_differ_between_networks_only_in_the_weights(trained, tmp_path):
    source = TrainedSource(trained)
    found = [source.settings(name, seed) for name in NAMES for seed in (0, 1)]
    assert len({settings.pop("weights") for settings in found}) == 4
    assert all(settings == found[0] for settings in found)
    save(tmp_path / "longer", NAMES[0], 0, epochs=6)
    other = TrainedSource(tmp_path / "longer").settings(NAMES[0], 0)
    assert {**other, "weights": ""} != {**found[0], "weights": ""}
    write_nats(tmp_path / "archive", 11)
    archive = PretrainedSource(tmp_path / "archive")
    assert archive.settings(NAMES[0], 777) == archive.settings(NAMES[0], 888)


def test_what_the_state_dict_does_not_hold_is_in_the_fingerprint(own):
    words = [f"mynetworks:{name}" for name in ("good", "smooth", "darker")]
    assert len(set(OwnSource.of(words).fingerprints)) == 3
    assert OwnSource.of(words) == OwnSource.of(words)


def test_scores_of_trained_networks_are_one_column_beside_the_random_ones(trained, tmp_path):
    store = tmp_path / "scores.sqlite"
    both = ("--seeds", "0,1", "--store", store)
    score("--init", "trained", "--weights", trained, *both)
    score("--archs", "11,284", "--channels", 4, "--cells", 1, *both)
    table = read_scores(store)
    columns, _ = score_columns(table, ["jacobian_norm"])
    assert [(c.seeds, int(c.values.notna().sum())) for c in columns] == [(2, 2), (2, 2)]
    names = labels([column.identity for column in columns])
    assert sum(name.startswith("jacobian_norm (random") for name in names) == 1
    assert sum(name.startswith("jacobian_norm (trained") for name in names) == 1
    modes = {
        init: json.loads(settings)["batch_norm"]
        for init, settings in table.query("proxy == 'jacobian_norm'")[
            ["init", "settings"]
        ].itertuples(index=False)
    }
    assert modes == {"random": "calibrated", "trained": "running"}
    assert (table["proxy"] == "params").sum() == 2  # of one size: the same score


def test_own_networks_are_scored_under_their_names(own):
    words = ("--network", "mynetworks:good", "--network", "mynetworks:half")
    score(*words, "--store", "own.sqlite", "--workers", 2)
    table = read_scores(Path("own.sqlite"))
    assert set(table["init"]) == {"own"}
    assert table["seed"].isna().all()
    assert set(table.query("proxy == 'params'")["value"]) == {4 * 9 + 4 + 8 + 4 * 10 + 10}
    assert "Every result is in the store already" in score(*words, "--store", "own.sqlite")


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("mynetworks", "module:function"),
        ("nomodule:make", "No module named 'nomodule'"),
        ("mynetworks:nothing", "no function 'nothing'"),
        ("mynetworks:failing", "KeyError: 'no weights'"),
        ("mynetworks:leaving", "SystemExit: 3"),
        ("mynetworks:number", "returned int"),
        ("mynetworks:pair", "gives tuple"),
        ("mynetworks:asserting", "IndexError"),
        ("mynetworks:many", "expected logits (4, 10)"),
        ("mynetworks:colour", "3 channels; those of digits have 1"),
        ("mynetworks:changing", "other weights at every call"),
        ("mynetworks:drawn", "other weights at every call"),
    ],
)
def test_an_own_network_that_is_none(own, word, message):
    assert message in " ".join(score("--network", word, code=2).split())


def test_auto_that_would_mean_two_things_is_refused(own):
    words = ("--network", "mynetworks:fresh", "--network", "mynetworks:good")
    assert "score them apart" in score(*words, code=2)
    score(*words, "--batch-norm", "calibrated", "--store", "two.sqlite")


def test_networks_of_other_images_are_refused(tmp_path):
    save(tmp_path, NAMES[0], 0, in_channels=3)
    with pytest.raises(SourceError, match="3 channels; those of digits have 1"):
        chosen_networks(Choice("trained", tmp_path), images.load("digits"))


def test_damaged_settings_are_one_message(trained):
    write_json(
        checkpoint_path(trained, Genotype.parse(NAMES[0]), 0).with_suffix(".json"),
        {"genotype": NAMES[0], "seed": 0},
    )
    with pytest.raises(ValueError, match=r"has the entries.*got genotype, seed"):
        TrainedSource(trained).settings(NAMES[0], 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--init", "trained"], "--weights FOLDER"),
        (["--init", "trained", "--weights", "nowhere"], "no folder nowhere"),
        (["--init", "trained", "--weights", "."], "no trained network in"),
        (["--init", "pretrained"], "--archive PATH"),
        (["--weights", "."], "--weights makes no sense here"),
        (["--network", "mynetworks:good", "--archs", "11"], "--archs makes no sense here"),
        (["--network", "mynetworks:good", "--weights", "."], "--weights makes no sense here"),
    ],
)
def test_options_that_do_not_fit(own, arguments, message):
    assert message in " ".join(score(*arguments, code=2).split())
