"""A trained network is stored whole, comes back bit by bit, and damage is named."""

import os
from copy import deepcopy
from dataclasses import asdict, replace

import pytest
import torch

from testbed.images.batch import fingerprint
from testbed.networks.normalise import normalised
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.train import checkpoint_files
from testbed.train.checkpoint_files import (
    CheckpointError,
    fingerprint_of_weights,
    write_json,
    write_tensors,
)
from testbed.train.checkpoints import (
    Checkpoint,
    checkpoint_path,
    describe_images,
    load_checkpoint,
    save_checkpoint,
    settings_of,
    trained_network,
)
from testbed.train.recipe import Recipe
from testbed.train.training import train
from testbed.train.unfinished import load_state, save_state

GENOTYPE = Genotype.from_index(284)
SMALL = Recipe(epochs=2, channels=4, cells=1, batch_size=16, lr=0.05, padding=2)


@pytest.fixture(scope="module")
def trained(coloured):
    states = []
    network, history = train(GENOTYPE, SMALL, coloured, 0, on_epoch=states.append)
    return network, history, states


@pytest.mark.parametrize("done", [1, 2])
def test_a_state_from_a_file_goes_on_to_the_same_bits(tmp_path, coloured, trained, done):
    network, history, states = trained
    path = tmp_path / "x.unfinished"
    save_state(path, states[done - 1], {"plan": 1}, 2.5)
    state, seconds = load_state(path, {"plan": 1})
    assert seconds == 2.5
    again, resumed = train(GENOTYPE, SMALL, coloured, 0, state=state)
    assert resumed == history
    assert fingerprint_of_weights(again.state_dict()) == fingerprint_of_weights(
        network.state_dict()
    )


def test_a_state_of_another_training_is_refused(tmp_path, trained):
    path = tmp_path / "x.unfinished"
    save_state(path, trained[2][0], {"lr": 0.1}, 1.0)
    with pytest.raises(CheckpointError, match="another training"):
        load_state(path, {"lr": 0.2})
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CheckpointError, match=r"x\.unfinished"):
        load_state(path, {"lr": 0.1})
    assert load_state(tmp_path / "none", {}) == (None, 0.0)


@pytest.fixture
def folder(tmp_path, coloured, trained):
    network, history, _ = trained
    checkpoint = Checkpoint(
        str(GENOTYPE), 0, SMALL, describe_images(coloured), 5, 3, coloured.mean, coloured.std,
        tuple(asdict(epoch) for epoch in history),
        {**describe_images(coloured), "accuracy": 0.5},
        fingerprint_of_weights(network.state_dict()), {"torch_version": "x", "seconds": 1.0},
    )  # fmt: skip
    save_checkpoint(tmp_path, checkpoint, network.state_dict())
    return tmp_path


def test_a_checkpoint_comes_back_bit_by_bit(folder, coloured, trained):
    assert {p.name for p in folder.iterdir()} == {
        "000284-seed0.safetensors", "000284-seed0.json",
    }  # fmt: skip
    before = torch.get_rng_state()
    network = trained_network(folder, GENOTYPE, 0)
    assert torch.equal(torch.get_rng_state(), before)
    # In the layout of the file: in channels-last, as trained, kernels may add up in another order.
    plain = deepcopy(trained[0]).to(memory_format=torch.contiguous_format)
    wanted = normalised(plain, coloured.mean, coloured.std)(coloured.images())
    assert torch.equal(network(coloured.images()), wanted)
    assert not any(module.training for module in network.modules())
    weights, checkpoint = load_checkpoint(folder, GENOTYPE, 0)
    assert {name: t.dtype for name, t in weights.items()} == {
        name: t.dtype for name, t in trained[0].state_dict().items()
    }
    assert checkpoint.recipe == SMALL
    assert checkpoint.mean == coloured.mean
    assert checkpoint.history == tuple(asdict(epoch) for epoch in trained[1])
    assert checkpoint.images == {
        "name": "random", "split": "train", "count": 40,
        "fingerprint": fingerprint(coloured.pixels, coloured.labels, 255),
    }  # fmt: skip
    assert settings_of(folder, GENOTYPE, 0)["recipe"] == SMALL.settings()


def test_the_settings_are_read_without_the_weights(folder):
    checkpoint_path(folder, GENOTYPE, 0).unlink()
    assert settings_of(folder, GENOTYPE, 0)["seed"] == 0
    with pytest.raises(CheckpointError, match="cannot read weights"):
        load_checkpoint(folder, GENOTYPE, 0)


def test_a_missing_network_says_how_to_train_it(folder):
    with pytest.raises(CheckpointError, match="robustness-proxies train --archs 11 --seeds 2"):
        trained_network(folder, Genotype.from_index(11), 2)


def test_a_renamed_network_is_refused(folder):
    for suffix in (".safetensors", ".json"):
        (folder / f"000284-seed0{suffix}").rename(folder / f"000284-seed1{suffix}")
    with pytest.raises(CheckpointError, match="is of seed 0; expected 1"):
        trained_network(folder, GENOTYPE, 1)
    for suffix in (".safetensors", ".json"):
        (folder / f"000284-seed1{suffix}").rename(folder / f"000011-seed0{suffix}")
    with pytest.raises(CheckpointError, match="is of genotype"):
        settings_of(folder, Genotype.from_index(11), 0)


def test_changed_weights_are_refused(folder):
    path = checkpoint_path(folder, GENOTYPE, 0)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="were changed or replaced"):
        trained_network(folder, GENOTYPE, 0)
    path.write_bytes(content[:50])
    with pytest.raises(CheckpointError, match="cannot read weights from"):
        trained_network(folder, GENOTYPE, 0)


def test_weights_load_strictly(folder):
    weights, checkpoint = load_checkpoint(folder, GENOTYPE, 0)
    save_checkpoint(folder, replace(checkpoint, classes=6), weights)
    with pytest.raises(CheckpointError, match="do not fit"):
        trained_network(folder, GENOTYPE, 0)
    extra = weights | {"more": torch.zeros(1)}
    mark = fingerprint_of_weights(extra)
    save_checkpoint(folder, replace(checkpoint, weights_fingerprint=mark), extra)
    with pytest.raises(CheckpointError, match="do not fit"):
        trained_network(folder, GENOTYPE, 0)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"genotype": 1}', None])
def test_damaged_settings_are_refused(folder, text):
    path = checkpoint_path(folder, GENOTYPE, 0).with_suffix(".json")
    settings = settings_of(folder, GENOTYPE, 0)
    del settings["recipe"]["lr"]
    write_json(path, settings) if text is None else path.write_text(text)
    with pytest.raises(CheckpointError, match=r"000284-seed0\.json"):
        load_checkpoint(folder, GENOTYPE, 0)


def test_the_fingerprint_counts_every_bit_but_not_the_order():
    weights = {"a": torch.tensor([0.0, 1.0]), "b": torch.tensor(3)}
    mark = fingerprint_of_weights(weights)
    assert len(mark) == 16
    assert fingerprint_of_weights(dict(reversed(weights.items()))) == mark
    layout = {"x": torch.rand(2, 3, 4, 4)}
    last = {"x": layout["x"].to(memory_format=torch.channels_last)}
    assert fingerprint_of_weights(layout) == fingerprint_of_weights(last)
    for other in (
        {"a": torch.tensor([-0.0, 1.0]), "b": torch.tensor(3)},
        {"a": torch.tensor([[0.0, 1.0]]), "b": torch.tensor(3)},
        {"a": torch.tensor([0.0, 1.0]), "c": torch.tensor(3)},
        {"a": torch.tensor([0.0, 1.0]), "b": torch.tensor(3, dtype=torch.int32)},
    ):
        assert fingerprint_of_weights(other) != mark


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    write_tensors(path, {"a": torch.zeros(2)})
    before = path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_tensors(path, {"a": torch.ones(2)})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_settings_of_reads_nothing_but_its_json(folder, monkeypatch):
    def fail(*_, **__):
        raise AssertionError("weights were read")

    for reader in ("load_file", "read_tensors", "read_notes"):
        monkeypatch.setattr(checkpoint_files, reader, fail)
    for other in folder.iterdir():
        if other.suffix != ".json":
            other.write_bytes(b"no weights")
    assert settings_of(folder, GENOTYPE, 0)["genotype"] == str(GENOTYPE)


def test_a_weights_file_without_its_json_is_not_finished(folder):
    checkpoint_path(folder, GENOTYPE, 0).with_suffix(".json").unlink()
    for read in (settings_of, load_checkpoint, trained_network):
        with pytest.raises(CheckpointError, match="no trained network 284 of seed 0"):
            read(folder, GENOTYPE, 0)


def test_the_json_is_written_after_the_weights(tmp_path, folder, monkeypatch):
    weights, checkpoint = load_checkpoint(folder, GENOTYPE, 0)
    written, replace_file = [], os.replace
    monkeypatch.setattr(
        os, "replace",
        lambda old, new: (written.append(new.suffix), replace_file(old, new)),
    )  # fmt: skip
    save_checkpoint(tmp_path / "new", checkpoint, weights)
    assert written == [".safetensors", ".json"]
