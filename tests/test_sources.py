"""Where networks come from: every source hands out the same network again, ready to be used."""

import pickle

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from proxies.compute import app as compute
from testbed import images
from testbed.sources import (
    Choice,
    OwnSource,
    PretrainedSource,
    RandomSource,
    SourceError,
    TrainedSource,
    chosen_networks,
)
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.store import read_scores
from testbed.train.command import app as train
from tests.archive_writer import write_nats

INDEX = 11
NAME = str(Genotype.from_index(INDEX))
OWN = "tests.test_sources:own"


def own() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 10)
        )


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    options = ["--archs", f"{INDEX},284", "--channels", "4", "--epochs", "1", "--workers", "1"]
    result = CliRunner().invoke(train, [*options, "--out", str(folder)])
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("archive") / "NATS-tss-v1_0-3ffb9-full"
    folder.mkdir()
    write_nats(folder, INDEX)
    return folder


@pytest.fixture(params=["random", "trained", "pretrained", "own"])
def source(request, weights, archive):
    return {
        "random": lambda: (RandomSource("random", (0.5,), (0.2,), 4, 1, 10, 1), NAME, 0, 1),
        "trained": lambda: (TrainedSource(weights), NAME, 0, 1),
        "pretrained": lambda: (PretrainedSource(archive), NAME, 777, 3),
        "own": lambda: (OwnSource.of([OWN]), OWN, None, 1),
    }[request.param]()


def test_a_network_is_the_same_again_and_elsewhere(source):
    where, name, seed, channels = source
    state = torch.get_rng_state()
    inputs = torch.rand(4, channels, 8, 8, generator=torch.Generator().manual_seed(0))
    network = where.build(name, seed)
    again = pickle.loads(pickle.dumps(where)).build(name, seed)
    assert not any(module.training for module in network.modules())
    assert network(inputs).shape == (4, 10)
    assert torch.equal(network(inputs), again(inputs))
    assert where.settings(name, seed) == pickle.loads(pickle.dumps(where)).settings(name, seed)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_folder_of_trained_networks_lists_them(weights):
    assert [Genotype.parse(n).index for n in TrainedSource(weights).networks()] == [INDEX, 284]


def test_trained_weights_stand_in_the_key(weights):
    source = TrainedSource(weights)
    other = str(Genotype.from_index(284))
    assert source.settings(NAME, 0)["weights"] != source.settings(other, 0)["weights"]


def test_the_choice_of_a_user_becomes_networks(weights):
    digits = images.load("digits")
    where, networks, seeds = chosen_networks(Choice("trained", weights), digits)
    assert (len(networks), seeds, where.init) == (2, [0], "trained")
    where, networks, seeds = chosen_networks(Choice(own=(OWN,)), digits)
    assert (networks, seeds, where.init) == ([OWN], [None], "own")
    where, networks, seeds = chosen_networks(Choice(archs="0-2", seeds="0,1"), digits)
    assert (len(networks), seeds, where.fresh) == (3, [0, 1], True)


def test_networks_of_other_images_are_refused(weights, archive, real_data):
    cifar = images.load("cifar10", real_data)
    with pytest.raises(SourceError, match="does not take the images of cifar10"):
        chosen_networks(Choice("trained", weights), cifar)
    where, _, seeds = chosen_networks(
        Choice("pretrained", archive=archive, archs=str(INDEX)), cifar
    )
    assert (seeds, where.init) == ([777], "pretrained")


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (Choice("pretrained"), "needs --archive"),
        (Choice("random", archs="0", weights="x"), "--weights makes no sense"),
        (Choice(own=(OWN,), archs="0"), "--archs makes no sense"),
        (Choice("trained", weights=None), "needs --weights"),
        (Choice("odd"), "unknown --init"),
    ],
)
def test_choices_that_make_no_sense_are_named(choice, message):
    with pytest.raises(SourceError, match=message):
        chosen_networks(choice, images.load("digits"))


def score(store, *arguments):
    options = ["--batch-size", "10", "--proxies", "params,jacobian_norm", "--workers", "1"]
    result = CliRunner().invoke(compute, [*options, "--store", str(store), *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return read_scores(store).set_index("proxy")


def test_trained_networks_are_scored_with_their_own_statistics(weights, tmp_path):
    trained = score(tmp_path / "a.sqlite", "--init", "trained", "--weights", weights,
                    "--archs", INDEX)  # fmt: skip
    row = trained.loc["jacobian_norm"]
    assert (row["init"], row["seed"]) == ("trained", 0)
    assert '"batch_norm":"running"' in row["settings"]
    # The number of parameters is a fact of the architecture: no weights in its key.
    assert trained.loc["params", "init"] == ""
    fresh = score(tmp_path / "b.sqlite", "--archs", INDEX, "--channels", 4, "--cells", 1)
    assert '"batch_norm":"calibrated"' in fresh.loc["jacobian_norm", "settings"]
    assert fresh.loc["params", "value"] == trained.loc["params", "value"]
    assert fresh.loc["jacobian_norm", "value"] != row["value"]


def test_a_network_of_the_user_s_is_scored(tmp_path):
    scores = score(tmp_path / "own.sqlite", "--network", OWN)
    assert scores.loc["params", "value"] == sum(p.numel() for p in own().parameters())
    # Its batch norm is fresh, so the statistics come from the batch.
    assert '"batch_norm":"calibrated"' in scores.loc["jacobian_norm", "settings"]
    assert set(scores["init"]) == {"own"}
